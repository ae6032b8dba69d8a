"""Curves of accuracy against forwards: a panel per model and benchmark, a few curves in a figure.

The reference curve is in every figure. Each setting is a mark; the line joins those that are chosen on
validation problems, the light marks are the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.ticker import NullFormatter, NullLocator, PercentFormatter

from xpflow.reporting.curves import Swept, band
from xpflow.reporting.plots.labels import Label, label_ends
from xpflow.reporting.plots.style import MARKERS, PALETTES, figure, note, save
from xpflow.reporting.report_spec import ReportPlan
from xpflow.stats.frontier import front
from xpflow.study.config.frontier import FrontierBlock
from xpflow.study.stages import MOST_SERIES, frontier_figures


def figures_frontier(
    block: FrontierBlock, plan: ReportPlan, curves: Sequence[Swept], folder: Path, formats: Sequence[str]
) -> list[Path]:
    """Draw all curves, MOST_SERIES in a figure; returns the paths."""
    names, others = [name for name in block.names if name != block.reference_name], MOST_SERIES - 1
    paths = []
    for number, name in enumerate(frontier_figures(block)):
        shown = [block.reference_name, *names[number * others : (number + 1) * others]]
        paths += _figure(plan, [one for one in curves if one.name in shown], shown, folder, formats, name)
    return paths


def _figure(
    plan: ReportPlan,
    curves: Sequence[Swept],
    shown: Sequence[str],
    folder: Path,
    formats: Sequence[str],
    name: str,
) -> list[Path]:
    places = list(dict.fromkeys((one.model, one.benchmark) for one in curves))
    height = max(1.9, 0.55 + 0.15 * len(shown))
    with figure(height=0.4 + height * max(1, len(places)), nrows=max(1, len(places))) as (drawing, axes):
        for panel, place in zip(axes[:, 0], places, strict=False):
            members = [one for one in curves if (one.model, one.benchmark) == place]
            ends = [_curve(panel, one, shown.index(one.name), plan.confidence) for one in members]
            most = max(point.accuracy for one in members for point in one.points)
            _dress(panel, members[0].length, most)
            label_ends(panel, ends)
            panel.set_title(", ".join(place))
            panel.set_ylabel("problems solved")
        note(
            drawing,
            "Lines: settings that are chosen on validation problems, at their accuracy on the test problems. "
            f"Light marks: the others. Bands: {100 * plan.confidence:g} % Wilson intervals of the settings.",
        )
        return save(drawing, folder, name, formats)


def _curve(panel: Any, one: Swept, place: int, confidence: float) -> Label:
    look = {
        "color": PALETTES[place % len(PALETTES)][0],
        "marker": MARKERS[place % len(MARKERS)],
        "markersize": 4.0,
        "linestyle": "-",
    }
    kept = front(one.chosen_on)
    bands = [band(one.points[k], confidence) for k in kept]
    panel.fill_between(
        [one.points[k].nfe for k in kept],
        [each.low for each in bands],
        [each.high for each in bands],
        color=look["color"],
        alpha=0.07,
        linewidth=0,
    )
    panel.plot([one.points[k].nfe for k in kept], [one.points[k].accuracy for k in kept], **look)
    rest = [k for k in range(len(one.points)) if k not in kept]
    panel.plot(
        [one.points[k].nfe for k in rest],
        [one.points[k].accuracy for k in rest],
        **{**look, "linestyle": "", "alpha": 0.35},
    )
    last = one.points[kept[-1]]
    return Label(one.label, look, last.nfe, last.accuracy)


def _dress(panel: Any, length: int, most: float) -> None:
    panel.set_xscale("log", base=2)
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_minor_formatter(NullFormatter())
    panel.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    panel.set_ylim(0, max(0.05, min(1.02, 1.08 * most)))
    ticks = [2**power for power in range(16) if 2**power <= length]
    panel.set_xticks(ticks, [str(tick) for tick in ticks])
    panel.set_xlabel("mean executed NFE")
