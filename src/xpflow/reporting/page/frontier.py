"""Curves of accuracy against forwards, as the page draws them: all in one chart, names switch them off."""

from __future__ import annotations

from collections.abc import Sequence

from xpflow.reporting.curves import Swept, band, by_place
from xpflow.reporting.page.charts import SYMBOLS, Chart, curve, data_table, series
from xpflow.reporting.plots.style import MARKERS, PALETTES
from xpflow.reporting.report_spec import ReportPlan
from xpflow.stats.frontier import Point, front
from xpflow.study.config.base import budget_text


def frontier_chart(plan: ReportPlan, curves: Sequence[Swept]) -> Chart:
    """Return the chart: a line joins the settings that are chosen on validation problems."""
    names = list(dict.fromkeys(one.name for one in curves))
    labels = {one.name: one.label for one in curves}
    panels, rows, said = [], [], []
    for place, members in by_place(curves):
        drawn = []
        for one in members:
            kept = front(one.chosen_on)
            points = [one.points[k] for k in kept]
            line = curve(
                names.index(one.name),
                (point.nfe for point in points),
                (point.accuracy for point in points),
                hover=[_told(one.curve.knob, point, plan.confidence) for point in points],
            )
            drawn.append(line)
            rows += [
                (
                    (one.label,),
                    (place[0],),
                    (place[1],),
                    (point.label,),
                    (f"{point.nfe:.1f}",),
                    (f"{100 * point.accuracy:.1f} %",),
                )
                for point in points
            ]
        panels.append({"title": ", ".join(place), "curves": drawn})
        there = [(found.accuracy, one) for one in members if (found := one.at(plan.headline_budget))]
        if there:
            most, best = max(there, key=lambda pair: pair[0])
            said.append(f"{', '.join(place)}: {best.label}, {100 * most:.1f} %")
    looks = [
        series(
            labels[name],
            PALETTES[place % len(PALETTES)][0],
            ("solid", "dash", "dot")[place // len(PALETTES) % 3],
            SYMBOLS[MARKERS[place % len(MARKERS)]],
        )
        for place, name in enumerate(names)
    ]
    text = (
        f"{len(names)} decoders by mean executed forward passes, settings chosen on validation problems. "
        f"Most solved at {budget_text(plan.headline_budget)} of N: {'; '.join(said)}."
    )
    heads = ("curve", "model", "benchmark", "setting", "NFE", "solved")
    return Chart(
        "frontier",
        "Decoders as curves: problems solved against forward passes",
        text,
        data_table("frontier-drawn", heads, rows, right=range(4, len(heads))),
        {
            "series": looks,
            "panels": panels,
            "y": {"title": "problems solved", "percent": True, "zero": True},
            "x": {"title": "mean executed NFE", "log": True},
        },
    )


def _told(knob: str, point: Point, confidence: float) -> str:
    """Return what a point says when it is pointed at."""
    interval = band(point, confidence).scaled(100)
    return (
        f"{knob} {point.label}: {100 * point.accuracy:.1f} % [{interval.low:.1f}, {interval.high:.1f}] with "
        f"{point.nfe:.1f} forward passes, {point.passed_SP.size} answers"
    )
