"""The comparisons of a study, evaluated on paired verdicts, and their table.

Intervals and p-values of differences come from `xpflow.stats.bootstrap`. Holm's correction is over all claims
(those registered, and the paper's) on all their models and benchmarks; one that does not survive it is
undecided. McNemar's exact test takes the first seed only, and with one seed its p-value is the difference's.
Several samples of a problem count by their mean; McNemar's test needs one of each arm.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Literal

from xpflow.errors import DataError
from xpflow.reporting.markup import EMPTY, Column, Lines, Table, number
from xpflow.reporting.paper import table1_count, table2_count
from xpflow.reporting.report_spec import Contrast, Direction, ReportPlan
from xpflow.reporting.results import CellStats, Outcomes
from xpflow.reporting.tables import facts
from xpflow.stats.bootstrap import Estimate, fewest_problems, paired_difference, paired_ratio
from xpflow.stats.intervals import Interval
from xpflow.stats.paired import McNemar, holm, mcnemar
from xpflow.study.config.base import budget_text

Judgement = Literal["confirmed", "contradicted", "undecided", "undecided: too few"]
NFE_TOLERANCE = 0.05  # arms whose mean NFE differ by more are not "at equal NFE"


@dataclass(frozen=True, slots=True)
class ContrastResult:
    """One contrast on one model and benchmark; the difference is a minus b, as a rate."""

    contrast: Contrast
    model: str
    benchmark: str
    a: CellStats
    b: CellStats
    difference: Estimate
    test: McNemar | None  # None: an arm has several samples of each problem
    confidence: float = 0.95
    holm_p: float | None = None  # None: no claim

    @property
    def judgement(self) -> Judgement:
        """The claim, judged from the interval of the difference; a claim, after Holm's correction."""
        found = judge(self.difference, 0.0, self.contrast.direction, self.confidence)
        return found if self.holm_p is None else after_holm(found, self.holm_p, self.confidence)

    @property
    def equal_nfe(self) -> bool:
        """Say whether both arms ran about the same number of forward passes."""
        return abs(self.a.nfe - self.b.nfe) <= NFE_TOLERANCE * max(self.a.nfe, self.b.nfe)


def evaluate_contrasts(plan: ReportPlan, outcomes: Outcomes) -> list[ContrastResult]:
    """Evaluate every registered contrast wherever the study ran both of its arms."""
    results = [
        _evaluate(plan, outcomes, contrast, model.name, benchmark)
        for contrast in plan.contrasts
        for model in plan.models
        for benchmark in plan.benchmarks
        if contrast.applies(model.name, benchmark)
        and plan.has(model.name, benchmark, contrast.a, contrast.budget_a)
        and plan.has(model.name, benchmark, contrast.b, contrast.budget_b)
    ]
    return _with_holm(results)


def recovery_ratio(plan: ReportPlan, outcomes: Outcomes, model: str, benchmark: str) -> Estimate | None:
    """Return flow at the headline budget over full-budget mask prediction.

    None where either was not run, or mask prediction solves nothing. An arm that decodes as the baseline does
    may stand for it: a study can give the full budget one of its own.
    """
    full = plan.stand_in(plan.baseline, model, benchmark, Fraction(1))
    a = (model, benchmark, plan.flow, plan.headline_budget)
    b = (model, benchmark, full or "", Fraction(1))
    if full is None or not plan.has(*a) or not outcomes.passed(*b).any():
        return None
    _require_pairs(outcomes, a, b)
    return paired_ratio(
        outcomes.passed(*a),
        outcomes.passed(*b),
        resamples=plan.resamples,
        seed=plan.bootstrap_seed,
        confidence=plan.confidence,
    )


def judge(
    estimate: Estimate, threshold: float = 0.0, direction: Direction = "greater", confidence: float = 0.95
) -> Judgement:
    """Judge a claim from an interval: wholly on its side of the threshold, wholly beyond it, or neither.

    On fewer problems than could decide anything, whatever came out, it is "undecided: too few".
    """
    if estimate.n_problems < fewest_problems(confidence):
        return "undecided: too few"
    return judge_interval(estimate.interval, threshold, direction)


def after_holm(found: Judgement, holm_p: float, confidence: float) -> Judgement:
    """Return what is left of a judgement: undecided where Holm's correction takes what decided it."""
    survives = holm_p <= 1 - confidence
    return found if survives or found == "undecided: too few" else "undecided"


def judge_interval(interval: Interval, threshold: float, direction: Direction) -> Judgement:
    """Judge a claim by where an interval lies, whatever it is from."""
    above, below = interval.low > threshold, interval.high < threshold
    if direction == "different":
        return "confirmed" if above or below else "undecided"
    if direction == "less":
        above, below = below, above
    return "confirmed" if above else "contradicted" if below else "undecided"


def _evaluate(
    plan: ReportPlan, outcomes: Outcomes, contrast: Contrast, model: str, benchmark: str
) -> ContrastResult:
    a = (model, benchmark, contrast.a, contrast.budget_a)
    b = (model, benchmark, contrast.b, contrast.budget_b)
    _require_pairs(outcomes, a, b)
    passed_a, passed_b = outcomes.passed(*a), outcomes.passed(*b)
    stats_a, stats_b = outcomes.stats(*a, plan.confidence), outcomes.stats(*b, plan.confidence)
    difference = paired_difference(
        passed_a, passed_b, resamples=plan.resamples, seed=plan.bootstrap_seed, confidence=plan.confidence
    )
    one_each = outcomes.samples(*a) == outcomes.samples(*b) == 1
    test = mcnemar(passed_a[0] > 0, passed_b[0] > 0) if one_each else None
    return ContrastResult(contrast, model, benchmark, stats_a, stats_b, difference, test, plan.confidence)


def _require_pairs(
    outcomes: Outcomes, a: tuple[str, str, str, Fraction], b: tuple[str, str, str, Fraction]
) -> None:
    """Refuse to pair arms run on different problems or on different seeds (a single run pairs with all)."""
    if outcomes.tasks(*a) != outcomes.tasks(*b):
        raise DataError(f"{a[2]} and {b[2]} on {a[0]} / {a[1]} were not run on the same problems")
    seeds_a, seeds_b = (set(outcomes.frame(*key)["seed"]) for key in (a, b))
    if len(seeds_a) > 1 and len(seeds_b) > 1 and seeds_a != seeds_b:
        raise DataError(f"{a[2]} and {b[2]} on {a[0]} / {a[1]} were not run with the same seeds")


def _with_holm(results: list[ContrastResult]) -> list[ContrastResult]:
    family = [index for index, result in enumerate(results) if result.contrast.is_claim]
    adjusted = dict(zip(family, holm([results[index].difference.p_value for index in family]), strict=True))
    return [
        replace(result, holm_p=adjusted[index]) if index in adjusted else result
        for index, result in enumerate(results)
    ]


def paper_difference(plan: ReportPlan, result: ContrastResult) -> float | None:
    """Return the paper's difference in points that a contrast corresponds to, if it has one."""
    contrast, place = result.contrast, (result.model, result.benchmark)
    if not plan.is_paper_arm(plan.flow):
        return None
    if contrast.kind == "ablation":
        full, without = table2_count(*place, "none"), table2_count(*place, contrast.removed)
    elif {contrast.a, contrast.b} == {plan.flow, plan.baseline} and plan.is_paper_arm(plan.baseline):
        full = table1_count(*place, plan.arm(contrast.a).decoder, contrast.budget_a)
        without = table1_count(*place, plan.arm(contrast.b).decoder, contrast.budget_b)
    else:
        return None
    return None if full is None or without is None else full.percent - without.percent


SEVERAL = (
    "McNemar's test needs one sample of each problem: a dash where an arm has several. Their differences are "
    "of each problem's mean over its samples."
)
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
        tuple(contrast_row(plan, result) for result in contrasts if result.contrast == contrast)
        for contrast in dict.fromkeys(result.contrast for result in contrasts)
    ]
    return Table(
        label="contrasts",
        title=f"Contrasts ({plan.study}): paired differences",
        facts=facts(plan, reading=False),
        columns=COLUMNS,
        sections=tuple(sections),
        notes=_notes(plan, contrasts),
        records=tuple(_record(plan, result) for result in contrasts),
    )


def _notes(plan: ReportPlan, contrasts: list[ContrastResult]) -> tuple[str, ...]:
    family = [result for result in contrasts if result.holm_p is not None]
    several = any(result.difference.n_seeds > 1 or result.test is None for result in family)
    least_p, level = 2 / (plan.resamples + 1) if several else 0.0, 1 - plan.confidence
    coarse = (
        f"With {plan.resamples} resamples no p is below {least_p:.2g}: too coarse for Holm's correction over "
        f"{len(family)}. Raise reporting.bootstrap_samples.",
    )
    return (
        f"a − b: {100 * plan.confidence:g} % interval, the widest of a paired bootstrap over seeds and "
        f"problems ({plan.resamples} resamples, seed {plan.bootstrap_seed}), one over problems that reckons "
        "with one more at its worst and, with several seeds, Student's t; an arm with one run is paired with "
        "every seed of the other.",
        "McNemar: problems only a solves : only b solves, exact two-sided p, first seed only.",
        *((SEVERAL,) if any(result.test is None for result in contrasts) else ()),
        f"Holm p: over all {len(family)} claims (registered, or the paper's), of the p-values that belong to "
        "the intervals (bootstrap_p in the CSV; with one seed McNemar's).",
        f"Judged: by the interval, and a claim only if its Holm p is at most {level:.3g}. Fewer than "
        f"{fewest_problems(plan.confidence)} problems decide nothing.",
        *(coarse if len(family) * least_p > level else ()),
        "Positive differences favour a. Claims stood in the configuration before the study ran, except those "
        "marked not registered, which the report adds to every study.",
    )


def contrast_row(plan: ReportPlan, result: ContrastResult) -> tuple[Lines, ...]:
    """Return the cells of a contrast, as COLUMNS names them."""
    difference, interval = result.difference, result.difference.interval.scaled(100)
    expected = paper_difference(plan, result)
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
        _mcnemar(result),
        EMPTY if result.holm_p is None else (f"{result.holm_p:.2g}",),
        EMPTY if expected is None else (number(expected),),
        _claim(result),
        (result.judgement,),
    )


def _mcnemar(result: ContrastResult) -> Lines:
    test = result.test
    return EMPTY if test is None else (f"{test.only_a}:{test.only_b}", f"p = {test.p_value:.2g}")


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
        "only_a": None if result.test is None else result.test.only_a,
        "only_b": None if result.test is None else result.test.only_b,
        "mcnemar_p": None if result.test is None else result.test.p_value,
        "holm_p": result.holm_p,
        "paper_points": paper_difference(plan, result),
        "judgement": result.judgement,
    }
