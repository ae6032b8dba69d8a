"""How tables of studies with many arms write estimates: percent with an interval, differences in points."""

from __future__ import annotations

from typing import Any

from xpflow.reporting.contrasts import Judgement, after_holm, judge
from xpflow.reporting.markup import Column, number
from xpflow.reporting.report_spec import Direction, ReportPlan
from xpflow.stats.bootstrap import Estimate, Floats, mean_interval
from xpflow.stats.factorial import Draws


def draws_of(plan: ReportPlan) -> Draws:
    """Return how a study's intervals are made."""
    return Draws(plan.resamples, plan.bootstrap_seed, plan.confidence)


def percent_text(plan: ReportPlan, passed_SP: Floats) -> str:
    """Return a mean pass rate with its interval over problems: "40.0 [30.1, 50.2]"."""
    found = mean_interval(
        passed_SP.mean(axis=0).clip(0.0, 1.0),
        resamples=plan.resamples,
        seed=plan.bootstrap_seed,
        confidence=plan.confidence,
    ).scaled(100)
    return f"{100 * passed_SP.mean():.1f} [{found.low:.1f}, {found.high:.1f}]"


def points_text(estimate: Estimate) -> str:
    """Return a difference of rates in points, with its interval: "+3.1 [−1.2, +7.4]"."""
    low, high = (number(100 * end) for end in (estimate.interval.low, estimate.interval.high))
    return f"{number(100 * estimate.value)} [{low}, {high}]"


def points_record(estimate: Estimate) -> dict[str, Any]:
    """Return a difference of rates in points, for the CSV."""
    interval = estimate.interval.scaled(100)
    return {
        "difference": 100 * estimate.value,
        "low": interval.low,
        "high": interval.high,
        "p": estimate.p_value,
    }


def judged(
    estimate: Estimate, direction: Direction, holm_p: float, confidence: float, threshold: float = 0.0
) -> Judgement:
    """Return the judgement of a claim from its interval; undecided where Holm's correction leaves nothing."""
    return after_holm(judge(estimate, threshold, direction, confidence), holm_p, confidence)


def claim_columns(*numbers: str) -> tuple[Column, ...]:
    """Return the columns of a table of claims about two sides, with those of its numbers."""
    told = (Column(name, "", "r") for name in numbers)
    return (Column("claim, registered before the run"), Column("where"), *told, Column("judgement"))
