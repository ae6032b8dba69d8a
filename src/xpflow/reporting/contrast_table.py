"""The registered contrasts as a table: paired differences, intervals, exact tests and judgements."""

from __future__ import annotations

from typing import Any

from xpflow.reporting.claims import paper_difference
from xpflow.reporting.contrasts import ContrastResult
from xpflow.reporting.markup import EMPTY, Column, Lines, Table, number
from xpflow.reporting.report_spec import ReportPlan
from xpflow.reporting.tables import facts
from xpflow.study.config.base import budget_text

SIGNS = {"greater": "a > b", "less": "a < b", "different": "a ≠ b"}
COLUMNS = (
    Column("contrast"),
    Column("model"),
    Column("benchmark"),
    Column("a %", align="r"),
    Column("b %", align="r"),
    Column("a − b, points", align="r"),
    Column("McNemar, first seed", align="r"),
    Column("Holm p", align="r"),
    Column("paper, points", align="r"),
    Column("claim"),
    Column("judged"),
)


def contrasts_table(plan: ReportPlan, contrasts: list[ContrastResult]) -> Table:
    """Return the registered paired differences, a section for each contrast."""
    sections = [
        tuple(_row(plan, result) for result in contrasts if result.contrast == contrast)
        for contrast in dict.fromkeys(result.contrast for result in contrasts)
    ]
    return Table(
        label="contrasts",
        title=f"Contrasts ({plan.study}): paired differences",
        facts=facts(plan, reading=False),
        columns=COLUMNS,
        sections=tuple(sections),
        notes=_notes(plan),
        records=tuple(_record(plan, result) for result in contrasts),
    )


def _notes(plan: ReportPlan) -> tuple[str, ...]:
    return (
        f"a − b: {100 * plan.confidence:g} % interval of a paired bootstrap over seeds and problems "
        f"({plan.resamples} resamples, seed {plan.bootstrap_seed}); an arm with one run is paired with every "
        "seed of the other.",
        "McNemar: problems only a solves : only b solves, exact two-sided p, first seed only; Holm over the "
        "ablation family.",
        "Positive differences favour a. Claims stood in the configuration before the study ran, except those "
        "marked not registered, which the report adds to every study.",
    )


def _row(plan: ReportPlan, result: ContrastResult) -> tuple[Lines, ...]:
    difference, interval = result.difference, result.difference.interval.scaled(100)
    expected = paper_difference(plan, result)
    p_value = f"p = {result.test.p_value:.2g}"
    nfe_warning = " (not equal)" if result.contrast.equal_nfe and not result.equal_nfe else ""
    return (
        (result.contrast.name, _budgets(result)),
        (result.model,),
        (result.benchmark,),
        (f"{100 * result.a.rate.mean:.1f}", f"NFE {result.a.nfe:.1f}"),
        (f"{100 * result.b.rate.mean:.1f}", f"NFE {result.b.nfe:.1f}{nfe_warning}"),
        (
            f"{number(100 * difference.value)} [{number(interval.low)}, {number(interval.high)}]",
            f"{difference.n_seeds} seeds × {difference.n_problems}",
        ),
        (f"{result.test.only_a}:{result.test.only_b}", p_value),
        EMPTY if result.holm_p is None else (f"{result.holm_p:.2g}",),
        EMPTY if expected is None else (number(expected),),
        _claim(result),
        (result.judgement,),
    )


def _claim(result: ContrastResult) -> Lines:
    sign = SIGNS[result.contrast.direction]
    return (sign,) if result.contrast.registered else (sign, "not registered")


def _budgets(result: ContrastResult) -> str:
    contrast = result.contrast
    return f"at {budget_text(contrast.budget_a)} vs {budget_text(contrast.budget_b)} of the budget"


def _record(plan: ReportPlan, result: ContrastResult) -> dict[str, Any]:
    contrast, difference = result.contrast, result.difference
    interval = difference.interval.scaled(100)
    return {
        "contrast": contrast.name,
        "kind": contrast.kind,
        "direction": contrast.direction,
        "registered": contrast.registered,
        "model": result.model,
        "benchmark": result.benchmark,
        "a": contrast.a,
        "budget_a": budget_text(contrast.budget_a),
        "b": contrast.b,
        "budget_b": budget_text(contrast.budget_b),
        "a_percent": 100 * result.a.rate.mean,
        "b_percent": 100 * result.b.rate.mean,
        "a_nfe": result.a.nfe,
        "b_nfe": result.b.nfe,
        "difference_points": 100 * difference.value,
        "low": interval.low,
        "high": interval.high,
        "bootstrap_p": difference.p_value,
        "seeds": difference.n_seeds,
        "problems": difference.n_problems,
        "only_a": result.test.only_a,
        "only_b": result.test.only_b,
        "mcnemar_p": result.test.p_value,
        "holm_p": result.holm_p,
        "paper_points": paper_difference(plan, result),
        "judgement": result.judgement,
    }
