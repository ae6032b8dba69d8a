"""The specification curve: universes by validation accuracy, and below each of them its readings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.ticker import PercentFormatter

from xpflow.reporting.plots.style import BLUE, GREY, INK, VERMILION, figure, note, save
from xpflow.reporting.readings import Universes, best_reading
from xpflow.reporting.report_spec import ReportPlan
from xpflow.stats.bootstrap import mean_interval
from xpflow.study.config import StudyConfig

ROW = 0.13  # inches of one value of a reading


def figure_multiverse(
    config: StudyConfig, plan: ReportPlan, places: Sequence[Universes], folder: Path, formats: Sequence[str]
) -> list[Path]:
    """Draw the curve of every model and benchmark, a column for each; returns the paths."""
    values = [(one.name, value) for one in config.multiverse.readings for value in one.values]
    matrix = 0.3 + ROW * len(values)
    with figure(
        height=2.4 + matrix,
        nrows=2,
        ncols=len(places),
        height_ratios=(1.7, matrix),
        sharex="col",
        sharey="row",
    ) as (drawing, axes):
        for column, place in enumerate(places):
            order = sorted(range(len(place.universes)), key=lambda k: -place.validation[k].accuracy)
            chosen = best_reading(config, places, place.model)
            marks = {0: INK} | ({} if chosen is None else {chosen.number: VERMILION})
            _curve(axes[0, column], plan, place, order, marks)
            _matrix(axes[1, column], place, order, values, marks)
        axes[0, 0].set_ylabel("problems solved")
        axes[1, 0].set_yticks(range(len(values)), [f"{name} {value}" for name, value in values], fontsize=5.5)
        note(
            drawing,
            f"Marks: test problems with {100 * plan.confidence:g} % intervals; grey line: validation, "
            "by which readings are ordered. Black: the default. Red: the best on validation.",
        )
        return save(drawing, folder, "multiverse", formats)


def _curve(
    panel: Any, plan: ReportPlan, place: Universes, order: Sequence[int], marks: dict[int, str]
) -> None:
    panel.plot(range(len(order)), [place.validation[k].accuracy for k in order], color=GREY, linewidth=1.0)
    for rank, k in enumerate(order):
        point, color = place.test[k], marks.get(k, BLUE)
        interval = mean_interval(
            point.passed_SP.mean(axis=0).clip(0.0, 1.0),
            resamples=plan.resamples,
            seed=plan.bootstrap_seed,
            confidence=plan.confidence,
        )
        panel.plot([rank, rank], [interval.low, interval.high], color=color, linewidth=0.6, alpha=0.6)
        panel.plot([rank], [point.accuracy], "o", color=color, markersize=4.5 if k in marks else 2.5)
    panel.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    panel.set_ylim(bottom=0.0)
    panel.set_title(place.where)


def _matrix(
    panel: Any,
    place: Universes,
    order: Sequence[int],
    values: Sequence[tuple[str, Any]],
    marks: dict[int, str],
) -> None:
    for height, (name, value) in enumerate(values):
        ranks = [rank for rank, k in enumerate(order) if place.universes[k].values[name] == value]
        colors = [marks.get(order[rank], BLUE) for rank in ranks]
        panel.scatter(ranks, [height] * len(ranks), c=colors, s=4.0, marker="|", linewidths=0.9)
    panel.set_ylim(len(values) - 0.4, -0.6)
    panel.grid(visible=False)
    panel.set_xticks([])
    panel.set_xlabel("readings, best on validation first")
