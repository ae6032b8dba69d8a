"""Figures of the probes: readings of mixed states against t, and decodes that are snapped and finished."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.ticker import PercentFormatter

from xpflow.reporting.plots.labels import Label, label_ends
from xpflow.reporting.plots.style import BLUE, GREY, INK, MARKERS, PALETTES, VERMILION, figure, note, save
from xpflow.reporting.probe_results import Probed
from xpflow.study.config.probes import ProbesBlock

TOKENS = {"oracle": BLUE, "wrong": VERMILION}
LINES = {"linear": "-", "spherical": ":"}
PANELS = {"read": "mixed places", "elsewhere": "masks beside them"}


def figure_validity(
    block: ProbesBlock, probed: Sequence[Probed], folder: Path, formats: Sequence[str]
) -> list[Path]:
    """Draw readings that are right against t: a row per place, mixed places and the masks beside them."""
    with figure(height=0.4 + 1.9 * len(probed), nrows=len(probed), ncols=2, sharex=True) as (drawing, axes):
        for row, one in zip(axes, probed, strict=True):
            for panel, (what, title) in zip(row, PANELS.items(), strict=True):
                for geometry in block.geometries:
                    for token, color in TOKENS.items():
                        shares = [one.share(what, token, geometry, t).mean for t in block.t]
                        name = f"{'true' if token == 'oracle' else 'wrong'} token, {geometry}"
                        look = {
                            "color": color,
                            "linestyle": LINES[geometry],
                            "marker": "o",
                            "markersize": 2.5,
                        }
                        panel.plot(block.t, shares, label=name, **look)
                _dress(panel, "t of the mixture", "read as the true token")
                panel.set_title(f"{one.place}, {one.benchmark}: {title}")
        axes[0, 1].legend(fontsize=6, frameon=False)
        note(drawing, "Means over problems; t = 0: all masks, t = 1: plain tokens. Intervals: table probes.")
        return save(drawing, folder, "probes_validity", formats)


def figure_recovery(
    block: ProbesBlock, probed: Sequence[Probed], folder: Path, formats: Sequence[str]
) -> list[Path]:
    """Draw what becomes of snapped decodes, and how far states lie from their segment, by outcome."""
    with figure(height=0.4 + 2.0 * len(probed), nrows=len(probed), ncols=2) as (drawing, axes):
        for row, one in zip(axes, probed, strict=True):
            _recovered(row[0], block, one)
            _distances(row[1], block, one)
        bounds = " (solid) or ".join(f"{bound:g}" for bound in block.snap_at)
        note(
            drawing,
            f"Left: tokens with t of {bounds} or more stay, "
            "mask prediction finishes the rest. Right: solid, answers that fail; dashed, answers that pass.",
        )
        return save(drawing, folder, "probes_recovery", formats)


def _recovered(panel: Any, block: ProbesBlock, one: Probed) -> None:
    shares = _shares(block)
    _dress(panel, "share of the steps before the snap", "problems solved")
    panel.set_title(f"{one.place}, {one.benchmark}")
    ends = []
    for place, policy in enumerate(block.policies):
        look = _look(place)
        for bound in block.snap_at[::-1]:  # the first on top
            values = [one.recovered(policy.name, share, bound).mean for share in shares]
            panel.plot(shares, values, **{**look, "linestyle": "-" if bound == block.snap_at[0] else ":"})
        ends.append(Label(policy.name, look, shares[-1], values[-1]))
    panel.axhline(values[0], color=GREY, linestyle="--", linewidth=0.8, zorder=0)
    label_ends(panel, ends)


def _distances(panel: Any, block: ProbesBlock, one: Probed) -> None:
    shares = _shares(block)
    for place, policy in enumerate(block.policies):
        passes = one.solved(policy.name).values_SP > 0
        distances = [one.off_at(policy.name, number).values_SP for number in range(len(shares))]
        for chosen, style in ((~passes, "-"), (passes, "--")):
            if chosen.any():
                means = [float(np.mean(value[chosen])) for value in distances]
                panel.plot(shares, means, **{**_look(place), "linestyle": style})
    panel.set_xlabel("share of the steps")
    panel.set_ylabel("off-mixture distance", color=INK)
    panel.set_ylim(bottom=0)


def _shares(block: ProbesBlock) -> list[float]:
    return [number / block.snaps for number in range(block.snaps + 1)]


def _look(place: int) -> dict[str, Any]:
    marker = MARKERS[place % len(MARKERS)]
    return {
        "color": PALETTES[(place + 1) % len(PALETTES)][0],
        "marker": marker,
        "markersize": 3.0,
        "linestyle": "-",
    }


def _dress(panel: Any, x: str, y: str) -> None:
    panel.set_xlabel(x)
    panel.set_ylabel(y)
    panel.set_ylim(0, 1.02)
    panel.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
