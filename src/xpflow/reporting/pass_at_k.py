"""pass@k of the arms that take several samples of each problem: the unbiased estimate, with its interval."""

from __future__ import annotations

from fractions import Fraction

from xpflow.reporting.markup import EMPTY, Column, Lines, Table
from xpflow.reporting.report_spec import ReportPlan
from xpflow.reporting.results import Outcomes
from xpflow.reporting.tables import arm_notes, facts, shared_mode_notes
from xpflow.stats.rates import KS, PassAt, pass_at_k
from xpflow.study.config.base import budget_text

COLUMNS = (
    Column("model"),
    Column("benchmark"),
    Column("budget"),
    Column("decoder"),
    Column("weights"),
    Column("samples", align="r"),
)


def pass_at_k_table(plan: ReportPlan, outcomes: Outcomes) -> Table:
    """Return a row for each cell with several samples n of each problem: k of KS below n, and n itself."""
    cells = [
        ((model.name, benchmark, arm.name, budget), found)
        for model in plan.models
        for benchmark in plan.benchmarks
        for budget in plan.budgets
        for arm in plan.arms
        if plan.has(model.name, benchmark, arm.name, budget)
        and (found := pass_at(plan, outcomes, (model.name, benchmark, arm.name, budget)))
    ]
    ks = sorted({k for _, found in cells for k in found})
    return Table(
        label="pass_at_k",
        title=f"pass@k ({plan.study}): problems that one of k samples solves",
        facts=facts(plan, reading=False),
        columns=(*COLUMNS, *(Column(f"pass@{k}", align="r") for k in ks)),
        sections=(tuple(_row(plan, outcomes, key, found, ks) for key, found in cells),),
        notes=(
            "pass@k: 1 - C(n - c, k) / C(n, k) of n samples of which c pass (Chen et al. 2021), averaged "
            f"over seeds and problems, in percent; {100 * plan.confidence:g} % interval over problems.",
            *arm_notes(plan, [key[2] for key, _ in cells]),
            *shared_mode_notes(plan, outcomes),
        ),
        records=tuple(_record(outcomes, key, one) for key, found in cells for one in found.values()),
    )


Key = tuple[str, str, str, Fraction]


def pass_at(plan: ReportPlan, outcomes: Outcomes, key: Key) -> dict[int, PassAt]:
    """Return pass@k of one cell, by k; nothing where it has one sample of each problem."""
    if (samples := outcomes.samples(*key)) == 1:
        return {}
    correct_SP, samples_SP = outcomes.correct(*key)
    return {
        k: pass_at_k(
            correct_SP,
            samples_SP,
            k,
            resamples=plan.resamples,
            seed=plan.bootstrap_seed,
            confidence=plan.confidence,
        )
        for k in sorted({*(k for k in KS if k < samples), samples})
    }


def _row(
    plan: ReportPlan, outcomes: Outcomes, key: Key, found: dict[int, PassAt], ks: list[int]
) -> tuple[Lines, ...]:
    model, benchmark, name, budget = key
    arm = plan.arm(name)
    cells = [_cell(found[k]) if k in found else EMPTY for k in ks]
    samples = str(outcomes.samples(*key))
    names = (model, benchmark, budget_text(budget), arm.label, arm.weights_label, samples)
    return (*((text,) for text in names), *cells)


def _cell(found: PassAt) -> Lines:
    interval = found.interval.scaled(100)
    return (f"{100 * found.mean:.1f} [{interval.low:.1f}, {interval.high:.1f}]",)


def _record(outcomes: Outcomes, key: Key, found: PassAt) -> dict[str, object]:
    model, benchmark, arm, budget = key
    return {
        "model": model,
        "benchmark": benchmark,
        "arm": arm,
        "budget": budget_text(budget),
        "samples": outcomes.samples(*key),
        "problems": found.n_problems,
        "k": found.k,
        "percent": 100 * found.mean,
        "low": 100 * found.interval.low,
        "high": 100 * found.interval.high,
    }
