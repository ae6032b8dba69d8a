"""The specification curve as the page draws it: readings in the order of their validation accuracy."""

from __future__ import annotations

from collections.abc import Sequence

from xpflow.reporting.page.charts import SYMBOLS, Chart, curve, data_table, plain, series
from xpflow.reporting.plots.style import BLUE, GREY, INK, VERMILION
from xpflow.reporting.readings import Universes, best_reading, reading_text
from xpflow.reporting.report_spec import ReportPlan
from xpflow.stats.bootstrap import mean_interval
from xpflow.study.config import StudyConfig


def multiverse_chart(config: StudyConfig, plan: ReportPlan, places: Sequence[Universes]) -> Chart:
    """Return the chart: a mark for each reading on the test problems, and the line that ordered them."""
    panels, rows, said = [], [], []
    for place in places:
        order = sorted(range(len(place.universes)), key=lambda k: -place.validation[k].accuracy)
        chosen = best_reading(config, places, place.model)
        told = {k: f"no. {k}: {reading_text(config, place.universes[k])}" for k in order}
        ranks = {k: rank + 1 for rank, k in enumerate(order)}
        ends = [
            mean_interval(
                place.test[k].passed_SP.mean(axis=0).clip(0.0, 1.0),
                resamples=plan.resamples,
                seed=plan.bootstrap_seed,
                confidence=plan.confidence,
            )
            for k in order
        ]
        drawn = [
            curve(
                0, ranks.values(), (place.validation[k].accuracy for k in order), hover=list(told.values())
            ),
            curve(
                1,
                ranks.values(),
                (place.test[k].accuracy for k in order),
                low=plain(one.low for one in ends),
                high=plain(one.high for one in ends),
                hover=list(told.values()),
            ),
        ]
        for number, k in ((2, 0), *(() if chosen is None else ((3, chosen.number),))):
            drawn.append(curve(number, [ranks[k]], [place.test[k].accuracy], hover=[told[k]]))
        panels.append({"title": place.where, "curves": drawn})
        rows += [
            (
                (place.model,),
                (place.benchmark,),
                (told[k],),
                (f"{100 * place.validation[k].accuracy:.1f} %",),
                (f"{100 * place.test[k].accuracy:.1f} %",),
                (f"{place.test[k].nfe:.1f}",),
            )
            for k in order
        ]
        best = (
            "none keeps to the budget"
            if chosen is None
            else f"{100 * place.test[chosen.number].accuracy:.1f} %"
        )
        said.append(f"{place.where}: the default {100 * place.test[0].accuracy:.1f} %, the best {best}")
    heads = ("model", "benchmark", "reading", "validation", "solved", "NFE")
    return Chart(
        "multiverse",
        "Every reading of what the paper leaves open",
        f"{len(places[0].universes)} readings, ordered and chosen on validation problems. {'; '.join(said)}.",
        data_table("multiverse-drawn", heads, rows, right=range(3, len(heads))),
        {
            "series": [
                series("validation problems", GREY),
                series("test problems", BLUE, "dot", SYMBOLS["o"]),
                series("the default", INK, "solid", SYMBOLS["s"]),
                series("the best on validation", VERMILION, "solid", SYMBOLS["D"]),
            ],
            "panels": panels,
            "y": {"title": "problems solved", "percent": True, "zero": True},
            "x": {"title": "readings, best on validation first"},
        },
    )
