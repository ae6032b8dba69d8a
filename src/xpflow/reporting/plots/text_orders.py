"""The orders that models learned: mean power of each place, and sentences shaded by what is decided first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps

from xpflow.reporting.plots.style import BLUE, GREY, INK, figure, note, save
from xpflow.reporting.text_kinds import learned_order
from xpflow.reporting.text_results import Trained
from xpflow.study.config.text import TextBlock

Worlds = Mapping[str, Sequence[Trained]]
MOST = 6  # runs that are drawn
SHADES = "Blues"
LETTERS = 10  # of a word that is drawn


def figure_orders(block: TextBlock, worlds: Worlds, folder: Path, formats: Sequence[str]) -> list[Path]:
    """Draw, for every run with a learned order, powers by place, and sentences of the first seed."""
    runs = [one for found in worlds.values() for one in found if learned_order(block, one)][:MOST]
    count = max(1, len(runs))
    shares = [share for _ in range(count) for share in (1.0, 1.1)]
    with figure(height=0.5 + 2.1 * count, nrows=2 * count, gridspec_kw={"height_ratios": shares}) as (
        drawing,
        axes,
    ):
        for one, above, below in zip(runs, axes[::2, 0], axes[1::2, 0], strict=False):
            _powers(above, one)
            _examples(below, one)
        note(
            drawing,
            "Above: powers, a line for each seed; larger is decided earlier. Below, first seed: the darker, "
            "the likelier to be decided first of all; its percent below the word.",
        )
        return save(drawing, folder, "text_orders", formats)


def _powers(panel: Any, one: Trained) -> None:
    panel.set_title(f"{one.world}: {one.label}")
    found = [scores["orders"]["powers"] for scores in one.scores if "orders" in scores]
    for powers in found:
        panel.plot(range(1, len(powers) + 1), powers, color=BLUE, linewidth=0.8, alpha=0.5)
    if found:
        mean = np.mean(found, axis=0)
        panel.plot(range(1, len(mean) + 1), mean, color=BLUE, marker="o", markersize=3, linewidth=1.4)
        panel.axhline(float(mean.mean()), color=GREY, linestyle="--", linewidth=0.8, zorder=0)
        panel.set_xlim(0.5, len(mean) + 0.5)
        panel.set_xticks(range(1, len(mean) + 1))
    highest = max((max(powers) for powers in found), default=1.0)
    panel.set_ylim(0, 1.15 * highest)
    panel.set_ylabel("mean power")


def _examples(panel: Any, one: Trained) -> None:
    examples = one.scores[0].get("orders", {}).get("examples", ())
    panel.set_axis_off()
    shades = colormaps[SHADES]
    for row, example in enumerate(examples):
        first = np.array(example["powers"]) / np.sum(example["powers"])
        top = 2.5 / len(first)  # half as much again as the paper's powers reach at 16 places, nearly
        for place, (word, share) in enumerate(zip(example["words"], first, strict=True)):
            depth = min(1.0, float(share) / max(top, float(first.max())))
            ink = "white" if depth > 0.6 else INK
            at = (place + 0.53, row - 0.44)
            panel.add_patch(_box(at, shades(0.9 * depth)))
            panel.text(place + 1, row - 0.1, _short(word), ha="center", va="center", fontsize=5, color=ink)
            panel.text(
                place + 1, row + 0.25, f"{100 * share:.0f}", ha="center", va="center", fontsize=4, color=ink
            )
        panel.set_xlim(0.5, len(first) + 0.5)
    panel.set_ylim(max(len(examples), 1) - 0.4, -0.6)


def _short(word: str) -> str:
    """Return a word as a box holds it; special words, "<|...|>", are ends."""
    return "end" if word.startswith("<|") else word[:LETTERS]


def _box(at: tuple[float, float], color: Any) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(at, 0.94, 0.88, facecolor=color, edgecolor=GREY, linewidth=0.3)
