"""Pass rates of one table cell, aggregated over training seeds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xpflow.errors import DataError
from xpflow.stats.intervals import Interval, wilson

# S seeds, P problems
Passed = NDArray[np.bool_]  # passed_SP


@dataclass(frozen=True, slots=True)
class PassRate:
    """Mean pass rate over seeds; `sd` is the seeds' sample standard deviation (None with one seed)."""

    passes: int  # over all seeds
    answers: int  # seeds x problems
    n_seeds: int
    n_problems: int
    mean: float
    sd: float | None
    interval: Interval  # Wilson, problems as the unit


def pass_rate(passed_SP: Passed, confidence: float = 0.95) -> PassRate:
    """Aggregate a seeds x problems matrix of outcomes.

    passed_SP: bool [S, P]. Raises DataError for an empty matrix.
    """
    if passed_SP.ndim != 2 or passed_SP.size == 0:
        raise DataError(f"expected a seeds x problems matrix, got shape {passed_SP.shape}")
    n_seeds, n_problems = passed_SP.shape
    passes = int(passed_SP.sum())
    rates_S = passed_SP.mean(axis=1)
    return PassRate(
        passes=passes,
        answers=n_seeds * n_problems,
        n_seeds=n_seeds,
        n_problems=n_problems,
        mean=float(passes / (n_seeds * n_problems)),
        sd=float(rates_S.std(ddof=1)) if n_seeds > 1 else None,
        interval=wilson(passes / n_seeds, n_problems, confidence),
    )
