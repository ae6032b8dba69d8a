"""What judges measure beside right and wrong, as ROUGE of summaries: a row for each cell."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from xpflow.reporting.markup import EMPTY, Column, Lines, Table
from xpflow.reporting.report_spec import ReportPlan
from xpflow.reporting.results import Outcomes
from xpflow.reporting.tables import arm_notes, facts
from xpflow.stats.bootstrap import Floats, mean_interval
from xpflow.study.config.base import budget_text

COLUMNS = (
    Column("model"),
    Column("benchmark"),
    Column("budget"),
    Column("decoder"),
    Column("weights"),
    Column("NFE", align="r"),
    Column("right %", align="r"),
)
Key = tuple[str, str, str, Fraction]


def measures_table(plan: ReportPlan, outcomes: Outcomes, measures: dict[str, tuple[str, ...]]) -> Table:
    """Return the measures of all cells; `measures`: benchmark -> names of what its judge measures.

    A measure that lies in [0, 1] has its interval over problems; another one is a mean.
    """
    names = list(dict.fromkeys(name for found in measures.values() for name in found))
    keys = [
        (model.name, benchmark, arm.name, budget)
        for model in plan.models
        for benchmark in plan.benchmarks
        if benchmark in measures
        for arm in plan.arms
        for budget in plan.budgets
        if plan.has(model.name, benchmark, arm.name, budget)
    ]
    found = {key: {name: outcomes.measure(name, *key) for name in names} for key in keys}
    return Table(
        label="measures",
        title=f"What judges measure ({plan.study})",
        facts=facts(plan, reading=False),
        columns=(*COLUMNS, *(Column(name, align="r") for name in names)),
        sections=(tuple(_row(plan, outcomes, key, found[key]) for key in keys),),
        notes=(
            "Means over seeds and problems. A measure between 0 and 1 is in percent, with its "
            f"{100 * plan.confidence:g} % interval over problems.",
            *arm_notes(plan, [key[2] for key in keys]),
        ),
        records=tuple(_record(outcomes, key, found[key]) for key in keys),
    )


def _row(plan: ReportPlan, outcomes: Outcomes, key: Key, found: dict[str, Floats]) -> tuple[Lines, ...]:
    model, benchmark, name, budget = key
    arm = plan.arm(name)
    texts = (
        *(model, benchmark, budget_text(budget), arm.label, arm.weights_label),
        f"{outcomes.mean_of('nfe', *key).mean():.1f}",
        f"{100 * outcomes.passed(*key).mean():.1f}",
    )
    return (*((text,) for text in texts), *(_cell(plan, values_P) for values_P in found.values()))


def _cell(plan: ReportPlan, values_P: Floats) -> Lines:
    if not values_P.size:
        return EMPTY
    if values_P.min() < 0 or values_P.max() > 1:
        return (f"{values_P.mean():.1f}",)
    interval = mean_interval(
        values_P, resamples=plan.resamples, seed=plan.bootstrap_seed, confidence=plan.confidence
    ).scaled(100)
    return (f"{100 * values_P.mean():.1f} [{interval.low:.1f}, {interval.high:.1f}]",)


def _record(outcomes: Outcomes, key: Key, found: dict[str, Floats]) -> dict[str, object]:
    model, benchmark, arm, budget = key
    return {
        "model": model,
        "benchmark": benchmark,
        "arm": arm,
        "budget": budget_text(budget),
        "nfe": float(outcomes.mean_of("nfe", *key).mean()),
        "right": float(outcomes.passed(*key).mean()),
        **{name: float(np.mean(values_P)) if values_P.size else None for name, values_P in found.items()},
    }
