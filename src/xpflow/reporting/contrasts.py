"""The comparisons a study registered before it ran, evaluated on paired verdicts.

Intervals come from the hierarchical bootstrap over seeds and problems; McNemar's exact test takes the first
seed only, and its p-values are Holm-corrected within the ablation family (all ablations of all models and
benchmarks).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from xpflow.errors import DataError
from xpflow.reporting.report_spec import Contrast, Direction, ReportPlan
from xpflow.reporting.results import CellStats, Outcomes
from xpflow.stats.bootstrap import Estimate, Passed, paired_difference, paired_ratio
from xpflow.stats.paired import McNemar, holm, mcnemar

Judgement = Literal["confirmed", "contradicted", "undecided"]
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
    test: McNemar
    holm_p: float | None = None

    @property
    def judgement(self) -> Judgement:
        """The registered claim, judged from the interval of the difference."""
        return judge(self.difference, 0.0, self.contrast.direction)

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
    """Return flow at the headline budget over full-budget mask prediction; None where either was not run."""
    a = (model, benchmark, plan.flow, plan.headline_budget)
    b = (model, benchmark, plan.baseline, Fraction(1))
    if not (plan.has(*a) and plan.has(*b)) or not outcomes.passed(*b).any():
        return None
    _require_pairs(outcomes, a, b)
    return paired_ratio(
        outcomes.passed(*a),
        outcomes.passed(*b),
        resamples=plan.resamples,
        seed=plan.bootstrap_seed,
        confidence=plan.confidence,
    )


def judge(estimate: Estimate, threshold: float = 0.0, direction: Direction = "greater") -> Judgement:
    """Judge a claim from an interval: wholly on its side of the threshold, wholly beyond it, or neither."""
    above, below = estimate.interval.low > threshold, estimate.interval.high < threshold
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
    return ContrastResult(
        contrast, model, benchmark, stats_a, stats_b, difference, mcnemar(*_first_seed(passed_a, passed_b))
    )


def _first_seed(passed_a: Passed, passed_b: Passed) -> tuple[Passed, Passed]:
    return passed_a[0], passed_b[0]


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
    family = [index for index, result in enumerate(results) if result.contrast.kind == "ablation"]
    adjusted = dict(zip(family, holm([results[index].test.p_value for index in family]), strict=True))
    return [
        replace(result, holm_p=adjusted[index]) if index in adjusted else result
        for index, result in enumerate(results)
    ]
