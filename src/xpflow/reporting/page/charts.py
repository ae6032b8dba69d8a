"""The figures of a study as the page draws them: panels of series in plain values.

A figure has one set of series for all its panels; each series has a colour for light pages and one for dark
ones. What the page draws from this is in templates/charts.js.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import pandas as pd

from xpflow.reporting.markup import Column, Table
from xpflow.reporting.page.colors import for_dark
from xpflow.reporting.page.grids import Grid, grid_of
from xpflow.reporting.plots.sweep import REST, arm_looks, places_of
from xpflow.reporting.report_spec import ReportPlan

# matplotlib's marks by their names in plotly
SYMBOLS = {
    "s": "square",
    "o": "circle",
    "^": "triangle-up",
    "D": "diamond",
    "v": "triangle-down",
    "P": "cross",
    "X": "x",
    "<": "triangle-left",
    ">": "triangle-right",
    "h": "hexagon",
    "p": "pentagon",
    "*": "star",
}
Values = list[float | None]


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure: what is drawn, the same in a sentence, and as a table."""

    name: str
    title: str
    text: str
    table: Table
    drawn: dict[str, Any]

    @property
    def grid(self) -> Grid:
        """The table as the page shows it."""
        return grid_of(self.table)


def sweep_charts(plan: ReportPlan, figures: Mapping[str, pd.DataFrame]) -> list[Chart]:
    """Return the charts of the budget sweep: of its first figure, and of the rest where there is one."""
    return [_sweep(plan, points, ending) for ending, points in figures.items()]


def series(
    name: str, color: str, dash: str = "solid", symbol: str = "", *, filled: bool = True
) -> dict[str, Any]:
    """Return what a series looks like in every panel."""
    mark = f"{symbol}{'' if filled else '-open'}" if symbol else None
    return {"name": name, "light": color, "dark": for_dark(color), "dash": dash, "symbol": mark}


def curve(number: int, x: Iterable[Any], y: Iterable[Any], **more: Any) -> dict[str, Any]:
    """Return one series' values in a panel; `more` are low, high (a band), hover (a text for each point)."""
    return {"series": number, "x": plain(x), "y": plain(y), **more}


def plain(values: Iterable[Any]) -> Values:
    """Return numbers that JSON holds, six digits each."""
    return [float(f"{value:.6g}") if value is not None and isfinite(value) else None for value in values]


def _sweep(plan: ReportPlan, points: pd.DataFrame, ending: str) -> Chart:
    looks = arm_looks(plan, [arm for arm in plan.arms if arm.name in set(points["arm"])])
    places = places_of(plan, points)
    panels = [
        {
            "title": f"{model}, {benchmark}",
            "curves": [
                _arm_curve(number, rows.sort_values("budget"), plan.confidence)
                for number, arm in enumerate(looks)
                if not (rows := _at(points, model, benchmark, arm)).empty
            ],
        }
        for model, benchmark in places
    ]
    title = "Problems solved against forward passes" + (
        ": the other arms and the ablations" * (ending == REST)
    )
    drawn = {
        "series": [
            series(look["label"], look["color"], _dash(look), SYMBOLS[look["marker"]], filled=look["filled"])
            for look in looks.values()
        ],
        "panels": panels,
        "y": {"title": "problems solved", "percent": True, "zero": True},
        "x": {"title": "mean executed NFE", "log": True},
        "other": {"title": "budget (steps / N)", "log": True},
    }
    labels = {name: look["label"] for name, look in looks.items()}
    return Chart(f"sweep{ending}", title, _best(points, labels, places), _points_table(points, labels), drawn)


def _at(points: pd.DataFrame, model: str, benchmark: str, arm: str) -> pd.DataFrame:
    chosen = (points["model"] == model) & (points["benchmark"] == benchmark) & (points["arm"] == arm)
    return points[chosen]


def _arm_curve(number: int, rows: pd.DataFrame, confidence: float) -> dict[str, Any]:
    found = curve(
        number,
        rows["nfe"],
        rows["mean"],
        low=plain(rows["wilson_low"]),
        high=plain(rows["wilson_high"]),
        hover=[_hover(row, confidence) for row in rows.to_dict("records")],
    )
    found["other"] = plain(rows["budget"])
    found["seeds"] = [
        {
            "seed": list(row["seeds"]),
            "x": plain(row["seed_nfe"]),
            "y": plain(row["seed_rates"]),
            "other": row["budget"],
        }
        for row in rows.to_dict("records")
        if len(row["seeds"]) > 1
    ]
    return found


def _hover(row: Mapping[Any, Any], confidence: float) -> str:
    return (
        f"{100 * row['mean']:.1f} % [{100 * row['wilson_low']:.1f}, {100 * row['wilson_high']:.1f}] "
        f"({100 * confidence:g} %), {row['passes']}/{row['answers']} solved, {len(row['seeds'])} "
        f"seed{'s' * (len(row['seeds']) > 1)}, NFE {row['nfe']:.1f}"
    )


def _dash(look: Mapping[str, Any]) -> str:
    return "solid" if look["linestyle"] == "-" else "dash" if look["linestyle"][1][0] > 2 else "dot"


def _best(points: pd.DataFrame, labels: Mapping[str, str], places: Sequence[tuple[str, str]]) -> str:
    """Return a sentence on each panel: who solves most there, and with how many forward passes."""
    said = []
    for model, benchmark in places:
        here = points[(points["model"] == model) & (points["benchmark"] == benchmark)]
        if here.empty:
            continue
        top = here.loc[here["mean"].idxmax()]
        said.append(
            f"{model}, {benchmark}: most by {labels[top['arm']]}, {100 * top['mean']:.1f} % "
            f"with {top['nfe']:.1f} forward passes"
        )
    return f"Problems solved by mean executed forward passes, {len(labels)} curves. {'; '.join(said)}."


def _points_table(points: pd.DataFrame, labels: Mapping[str, str]) -> Table:
    heads = ("decoder", "model", "benchmark", "budget", "NFE", "solved", "counts", "seeds, low to high")
    rows = [
        (
            (labels[row["arm"]],),
            (row["model"],),
            (row["benchmark"],),
            (f"{row['budget']:g}",),
            (f"{row['nfe']:.1f}",),
            (f"{100 * row['mean']:.1f} % [{100 * row['wilson_low']:.1f}, {100 * row['wilson_high']:.1f}]",),
            (f"{row['passes']}/{row['answers']}",),
            (f"{100 * row['low']:.1f} to {100 * row['high']:.1f} % over {len(row['seeds'])}",),
        )
        for row in points.to_dict("records")
    ]
    return data_table("points", heads, rows, right=range(3, len(heads)))


def data_table(
    label: str, heads: Sequence[str], rows: Sequence[tuple[tuple[str, ...], ...]], right: Iterable[int]
) -> Table:
    """Return the table behind a figure; `right` are the columns of numbers."""
    numbers = set(right)
    columns = tuple(Column(head, align="r" if place in numbers else "l") for place, head in enumerate(heads))
    return Table(label, "", (), columns, (tuple(rows),))
