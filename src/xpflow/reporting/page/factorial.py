"""The cells of a factorial, as the page draws them: a line for each level of the first factor."""

from __future__ import annotations

from collections.abc import Sequence

from xpflow.reporting.cells import CellRead, Factored
from xpflow.reporting.page.charts import SYMBOLS, Chart, curve, data_table, series
from xpflow.reporting.plots.style import MARKERS, PALETTES
from xpflow.study.config import StudyConfig
from xpflow.study.config.base import budget_text


def factorial_chart(config: StudyConfig, places: Sequence[Factored]) -> Chart:
    """Return the chart: the other factors' combinations in a row, in the order of the table of cells."""
    block = config.factorial
    levels = [level.name for level in block.factors[0].levels]
    panels, rows, said = [], [], []
    for place in places:
        contexts = list(dict.fromkeys(one.cell.levels[1:] for one in place.cells))
        drawn = []
        for number, level in enumerate(levels):
            found = [one for one in place.cells if one.cell.levels[0] == level and one.found is not None]
            drawn.append(
                curve(
                    number,
                    (contexts.index(one.cell.levels[1:]) + 1 for one in found),
                    (one.found.accuracy for one in found if one.found is not None),
                    hover=[_told(one) for one in found],
                )
            )
        panels.append({"title": place.where, "curves": drawn})
        there = [(one.found.accuracy, one) for one in place.cells if one.found is not None]
        rows += [
            (
                (place.model,),
                (place.benchmark,),
                (", ".join(one.cell.levels),),
                (str(contexts.index(one.cell.levels[1:]) + 1),),
                (f"{one.found.nfe:.1f}" if one.found else "–",),
                (f"{100 * one.found.accuracy:.1f} %" if one.found else one.why,),
            )
            for one in place.cells
        ]
        if there:
            most, best = max(there, key=lambda pair: pair[0])
            said.append(f"{place.where}: {', '.join(best.cell.levels)}, {100 * most:.1f} %")
    looks = [
        series(level, PALETTES[place % len(PALETTES)][0], "solid", SYMBOLS[MARKERS[place % len(MARKERS)]])
        for place, level in enumerate(levels)
    ]
    text = (
        f"{', '.join(block.names)}, all combined, at a mean NFE of {budget_text(block.at)} of N. "
        f"Most solved: {'; '.join(said)}."
    )
    heads = ("model", "benchmark", "cell", "place", "NFE", "solved")
    return Chart(
        "factorial",
        "Decoders by their parts",
        text,
        data_table("factorial-drawn", heads, rows, right=range(3, len(heads))),
        {
            "series": looks,
            "panels": panels,
            "y": {"title": "problems solved", "percent": True, "zero": True},
            "x": {"title": f"combination of {', '.join(block.names[1:]) or 'nothing else'}"},
        },
    )


def _told(one: CellRead) -> str:
    assert one.found is not None
    return f"{', '.join(one.cell.levels)}: {100 * one.found.accuracy:.1f} % with {one.found.nfe:.1f} forwards"
