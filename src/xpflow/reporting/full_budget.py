"""The full-budget pass rate before and after alignment, from the evaluation: what Figure 2b cannot show."""

from __future__ import annotations

from fractions import Fraction

import pandas as pd

from xpflow.reporting.report_spec import ReportPlan
from xpflow.reporting.results import Outcomes

FULL = Fraction(1)


def full_budget_rows(plan: ReportPlan, outcomes: Outcomes, log: pd.DataFrame) -> pd.DataFrame:
    """Return {model, variant, seed, update, pass_full} at the first and last update of every alignment.

    The pass rate is that of mask prediction with all its steps, averaged over the benchmarks; variants that
    the study does not evaluate so have no rows.
    """
    rows = []
    arms = {arm.weights: arm.name for arm in plan.arms if arm.decoder == "mask_prediction"}
    for (model, variant, seed), run in log.groupby(["model", "variant", "seed"]):
        for weights, update in (("base", run["update"].min()), (variant, run["update"].max())):
            arm = plan.baseline if weights == "base" else arms.get(weights, "")
            rates = [
                _rate(outcomes, model, benchmark, arm, int(seed))
                for benchmark in plan.benchmarks
                if plan.has(model, benchmark, arm, FULL)
            ]
            if rates:
                key = {"model": model, "variant": variant, "seed": seed, "update": update}
                rows.append({**key, "pass_full": sum(rates) / len(rates)})
    return pd.DataFrame(rows)


def _rate(outcomes: Outcomes, model: str, benchmark: str, arm: str, seed: int) -> float:
    """Return the rate of one seed, or that of the only run of an arm that needs no seed."""
    seeds = outcomes.stats(model, benchmark, arm, FULL).seeds
    row = seeds.index(seed) if seed in seeds else 0
    return float(outcomes.passed(model, benchmark, arm, FULL)[row].mean())
