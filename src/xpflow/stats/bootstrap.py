"""Paired hierarchical bootstrap over training seeds and problems.

Every resample draws seeds with replacement and problems with replacement (crossed: each drawn problem is
taken under each drawn seed) and applies the *same* draw to every arm, so differences and ratios are paired.
An arm that does not depend on the seed (one row) is held against each seed of the others.

Do not over-trust: with fewer than about five seeds the between-seed part is estimated from very few values,
and with one seed the interval is over problems only; `n_seeds` in the result says which it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from xpflow.errors import DataError
from xpflow.stats.intervals import Interval

Passed = NDArray[np.bool_]
Floats = NDArray[np.float64]

RESAMPLES = 10_000
_CHUNK = 1_000  # resamples held in memory at once


@dataclass(frozen=True, slots=True)
class Estimate:
    """A point estimate with its percentile interval; `p_value` is two-sided against no effect."""

    value: float
    interval: Interval
    p_value: float
    n_seeds: int
    n_problems: int


def paired_difference(
    passed_a: Passed, passed_b: Passed, *, resamples: int = RESAMPLES, seed: int = 0, confidence: float = 0.95
) -> Estimate:
    """Return the difference of mean pass rates, a minus b.

    bool [S, P] each, one row allowed for an arm without seeds; columns are the same problems in the same
    order.
    """
    a_SP, b_SP = _aligned(passed_a, passed_b)
    means_a_R, means_b_R = _resampled_means(a_SP, b_SP, resamples, seed)
    draws_R = means_a_R - means_b_R
    return _estimate(float(a_SP.mean() - b_SP.mean()), draws_R, 0.0, confidence, a_SP.shape)


def paired_ratio(
    passed_a: Passed, passed_b: Passed, *, resamples: int = RESAMPLES, seed: int = 0, confidence: float = 0.95
) -> Estimate:
    """Return the ratio of mean pass rates, a over b (the share of b's accuracy that a keeps).

    Shapes as in `paired_difference`. Resamples in which b solves nothing count as an infinite ratio. Raises
    DataError when b solves nothing at all.
    """
    a_SP, b_SP = _aligned(passed_a, passed_b)
    if not b_SP.any():
        raise DataError("the reference arm solves no problem: a ratio to it has no meaning")
    means_a_R, means_b_R = _resampled_means(a_SP, b_SP, resamples, seed)
    draws_R = np.divide(means_a_R, means_b_R, out=np.full_like(means_a_R, np.inf), where=means_b_R > 0)
    return _estimate(float(a_SP.mean() / b_SP.mean()), draws_R, 1.0, confidence, a_SP.shape)


def _aligned(passed_a: Passed, passed_b: Passed) -> tuple[Floats, Floats]:
    """Return both matrices as floats with one number of seed rows."""
    a, b = np.atleast_2d(passed_a).astype(np.float64), np.atleast_2d(passed_b).astype(np.float64)
    n_seeds = max(len(a), len(b))
    compatible = a.shape[1] == b.shape[1] and a.size > 0 and len(a) in (1, n_seeds) and len(b) in (1, n_seeds)
    if not compatible:
        raise DataError(
            f"arms of shapes {a.shape} and {b.shape} (seeds x problems) are not paired",
            hint="both arms need the same problems, and the same seeds unless one of them has a single run",
        )
    return np.broadcast_to(a, (n_seeds, a.shape[1])), np.broadcast_to(b, (n_seeds, b.shape[1]))


def _resampled_means(a_SP: Floats, b_SP: Floats, resamples: int, seed: int) -> tuple[Floats, Floats]:
    """Return each arm's mean in every resample, [R] each; one draw of seeds and problems serves both."""
    seeds_RS, problems_RP = _draws(*a_SP.shape, resamples, seed)
    means_a, means_b = [], []
    for start in range(0, resamples, _CHUNK):
        chunk = slice(start, start + _CHUNK)
        weights_RP = problems_RP[chunk] / a_SP.size
        means_a.append(((seeds_RS[chunk] @ a_SP) * weights_RP).sum(axis=1))
        means_b.append(((seeds_RS[chunk] @ b_SP) * weights_RP).sum(axis=1))
    return np.concatenate(means_a), np.concatenate(means_b)


@lru_cache(maxsize=4)  # a study compares many arms under the same draws
def _draws(
    n_seeds: int, n_problems: int, resamples: int, seed: int
) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """Return how often each seed [R, S] and each problem [R, P] is drawn in every resample."""
    generator = np.random.default_rng(seed)
    seeds_RS = generator.multinomial(n_seeds, np.full(n_seeds, 1 / n_seeds), size=resamples)
    problems_RP = generator.multinomial(n_problems, np.full(n_problems, 1 / n_problems), size=resamples)
    return seeds_RS.astype(np.int16), problems_RP.astype(np.int16)


def _estimate(
    value: float, draws_R: Floats, null: float, confidence: float, shape: tuple[int, ...]
) -> Estimate:
    tail = (1 - confidence) / 2
    # "higher"/"lower" name observed draws, so infinite ratios need no interpolation
    low = float(np.quantile(draws_R, tail, method="lower"))
    high = float(np.quantile(draws_R, 1 - tail, method="higher"))
    below, above = int((draws_R <= null).sum()), int((draws_R >= null).sum())
    p_value = min(1.0, 2 * (min(below, above) + 1) / (len(draws_R) + 1))
    return Estimate(value, Interval(low, high), p_value, shape[0], shape[1])
