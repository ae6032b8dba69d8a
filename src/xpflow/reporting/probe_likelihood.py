"""The table of the probes' likelihoods: nats of a response after each number of passes, for all weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from xpflow.reporting.markup import EMPTY, Column, Lines, Table, number
from xpflow.reporting.probe_results import Probed, Values
from xpflow.reporting.report_spec import ReportPlan, weights_label
from xpflow.stats.bootstrap import Estimate
from xpflow.stats.numbers import paired_difference_of_numbers
from xpflow.study.config import StudyConfig
from xpflow.study.config.probes import ProbePlace

TOLD = (
    "nats of a response of N tokens, its end and padding among them, in any order: an upper bound on -log p, "
    "lower is better; means over problems and {draws} maskings of each [{confidence:g} % interval]. A pass "
    "is a forward over the same masks, which before it are mixed with what the last one predicted. Below: "
    "minus the first place of the same model after one pass, paired by problem"
)


def likelihood_table(
    config: StudyConfig, plan: ReportPlan, probed: Sequence[Probed], about: tuple[tuple[str, str], ...]
) -> Table:
    """Return the table; a place is held against the first place of its model. `about`: facts above it."""
    block, places = config.probes, {one.name: one for one in config.probes.places}
    rows, records = list[tuple[Lines, ...]](), list[dict[str, Any]]()
    for one in probed:
        place, first = places[one.place], _reference(config, one, probed)
        cells: list[Lines] = [(f"{one.place}, {one.benchmark}",), (_soft(place),)]
        for passes in range(1, block.passes + 1):
            nats = one.nats(passes)
            if nats is None:
                cells.append(EMPTY)
                continue
            mean, less = _compared(plan, nats, None), _compared(plan, nats, first)
            cells.append(
                (f"{mean.value:.3f} {_ends(mean, '')}", f"{number(less.value, digits=3)} {_ends(less)}")
            )
            records.append(
                {
                    "place": one.place,
                    "model": place.model,
                    "weights": place.weights,
                    "benchmark": one.benchmark,
                    "passes": passes,
                    "nats": mean.value,
                    "nats_low": mean.interval.low,
                    "nats_high": mean.interval.high,
                    "against_first": less.value,
                    "against_low": less.interval.low,
                    "against_high": less.interval.high,
                    "problems": mean.n_problems,
                    "seeds": mean.n_seeds,
                }
            )
        rows.append(tuple(cells))
    told = TOLD.format(draws=block.draws, confidence=100 * plan.confidence)
    return Table(
        label="probes_likelihood",
        title=f"Likelihood by passes ({plan.study})",
        facts=(*about, ("Cells", told)),
        columns=(
            Column("where"),
            Column("soft masks"),
            *(Column(str(passes), "passes", "r") for passes in range(1, block.passes + 1)),
        ),
        sections=(tuple(rows),),
        records=tuple(records),
    )


def _reference(config: StudyConfig, one: Probed, probed: Sequence[Probed]) -> Values:
    """Return the nats after one pass of the first place of the same model, on the same benchmark."""
    models = {place.name: place.model for place in config.probes.places}
    first = next(
        other
        for other in probed
        if models[other.place] == models[one.place] and other.benchmark == one.benchmark
    ).nats(1)
    assert first is not None  # every place has one pass
    return first


def _compared(plan: ReportPlan, a: Values, b: Values | None) -> Estimate:
    """Return the mean of a, or of a minus b."""
    b_SP = np.zeros_like(a.values_SP) if b is None else b.of(a.tasks)
    return paired_difference_of_numbers(
        a.values_SP, b_SP, resamples=plan.resamples, seed=plan.bootstrap_seed, confidence=plan.confidence
    )


def _ends(estimate: Estimate, sign: str = "+") -> str:
    low, high = (number(end, sign, 3) for end in (estimate.interval.low, estimate.interval.high))
    return f"[{low}, {high}]"


def _soft(place: ProbePlace) -> str:
    """Return the weights, and how their masks are mixed."""
    mixed = ", ".join(f"{name} {value}" for name, value in place.soft.items())
    return f"{weights_label(place.weights)} weights; {mixed or 'plain masks'}"
