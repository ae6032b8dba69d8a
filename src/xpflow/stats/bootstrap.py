"""Intervals of paired differences and ratios, over training seeds and problems, that know their limits.

An interval here is the widest of three, each of which knows something that the others do not:

- *Few or equal problems* (always): a Bayesian bootstrap over problems in which each end reckons with one more
  problem, the worst possible for that end (Gaffke 2005; Learned-Miller and Thomas 2020). For one pass rate it
  is Clopper and Pearson's exact interval. With one seed it leaves out zero only where McNemar's exact test
  says so too, and `p_value` is that test's. Where problems have several samples there is no such test: each
  counts by the share of its samples that passed.
- *Seeds and problems together* (several seeds): every resample draws seeds and problems, with replacement and
  crossed, the same for both arms (percentile interval).
- *Few seeds* (several seeds): Student's t on a two-way analysis of variance of seeds and problems, with
  Satterthwaite's degrees of freedom. A percentile interval over five seeds that differ is too narrow.

`p_value` is the largest of the three. An arm that does not depend on the seed (one row) is held against each
seed of the others.

Coverage of 95 % intervals of a difference, in %, each from 2000 samples in which one arm solves a share of
the problems and the other none, or both the same share. Five seeds differ by 5 points, up or down; one run
stands for itself, since it cannot say what another seed would give. `python tests/unit/stats/coverage.py`
prints the table again:

    1 seed, problems:            4       5      10      20     164
    0 against 0              100.0   100.0   100.0   100.0   100.0
    0.02 against 0           100.0   100.0   100.0   100.0    99.9
    0.3 against 0            100.0   100.0   100.0    98.8    97.1
    1 against 0              100.0   100.0   100.0   100.0   100.0
    both 0                   100.0   100.0   100.0   100.0   100.0
    both 0.02                100.0   100.0   100.0   100.0    98.7
    both 0.3                 100.0   100.0    99.4    98.4    97.0
    both 1                   100.0   100.0   100.0   100.0   100.0
    5 seeds, problems:           4       5      10      20     164
    0 against 0              100.0   100.0   100.0   100.0   100.0
    0.02 against 0           100.0   100.0   100.0   100.0   100.0
    0.3 against 0            100.0   100.0   100.0    99.5    95.3
    1 against 0              100.0   100.0   100.0   100.0   100.0
    both 0                   100.0   100.0   100.0   100.0   100.0
    both 0.02                100.0   100.0   100.0   100.0    99.0
    both 0.3                 100.0   100.0    99.9    98.6    95.8
    both 1                   100.0   100.0   100.0   100.0   100.0
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, log2

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from xpflow.errors import DataError
from xpflow.stats.intervals import Interval, require_level
from xpflow.stats.paired import mcnemar

Floats = NDArray[np.float64]
Passed = NDArray[np.bool_] | Floats  # whether a problem passed, or the share of its samples that did
Compare = Callable[[Floats, Floats], Floats]

RESAMPLES = 10_000
MOST_RESAMPLES = 1_000_000
_CHUNK = 1_000  # resamples held in memory at once


@dataclass(frozen=True, slots=True)
class Estimate:
    """A point estimate with its interval; `p_value` is two-sided against no effect."""

    value: float
    interval: Interval
    p_value: float
    n_seeds: int
    n_problems: int


def _require_draws(resamples: int) -> None:
    if not 1 <= resamples <= MOST_RESAMPLES:
        raise DataError(
            f"{resamples} bootstrap draws", hint=f"between 1 and {MOST_RESAMPLES}, as {RESAMPLES}"
        )


def fewest_problems(confidence: float = 0.95) -> int:
    """Return how many problems it takes before any outcome can decide a paired comparison: 6 at 95 %.

    With n problems that all differ, and in one direction, McNemar's exact two-sided p is 2 / 2^n.
    """
    require_level(confidence)
    return ceil(1 - log2(1 - confidence))


def paired_difference(
    passed_a: Passed,
    passed_b: Passed,
    *,
    null: float = 0.0,
    resamples: int = RESAMPLES,
    seed: int = 0,
    confidence: float = 0.95,
) -> Estimate:
    """Return the difference of mean pass rates, a minus b.

    bool [S, P] each, or the shares of several samples that passed, one row allowed for an arm without seeds;
    columns are the same problems in the same order. The p-value is against `null`: -0.03 asks whether a is
    behind by 3 points. McNemar's test has nothing to say of another null than 0.
    """
    a_SP, b_SP = _aligned(passed_a, passed_b)
    value = float(a_SP.mean() - b_SP.mean())
    question = _Question(np.subtract, null, Interval(-1.0, 1.0), resamples, seed, confidence, null == 0.0)
    return _estimate(a_SP, b_SP, question, value, a_SP - b_SP)


def paired_lead(
    shares_a: Floats,
    shares_b: Floats,
    times: float,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    confidence: float = 0.95,
) -> Estimate:
    """Return the mean of a minus `times` the mean of b: above 0 where a has more than so many times b.

    Shapes as in `paired_difference`; values between 0 and 1. No exact test belongs to it.
    """
    a_SP, b_SP = _aligned(shares_a, shares_b)

    def compare(a_R: Floats, b_R: Floats) -> Floats:
        return a_R - times * b_R

    question = _Question(compare, 0.0, Interval(-times, 1.0), resamples, seed, confidence, exact=False)
    linear_SP = a_SP - times * b_SP
    return _estimate(a_SP, b_SP, question, float(linear_SP.mean()), linear_SP)


def mean_lead(shares: Floats, least: float, *, confidence: float = 0.95) -> Estimate:
    """Return the mean of shares `[S, P]` minus a number, by Student's t over problems (and seeds).

    For shares of many tokens a problem, most of them near one end: the interval that reckons with one more
    problem is wider than such a question (of 160 problems that all keep everything, its low end is 97.7 %).
    This one is not exact; it needs that problems differ.

    Raises:
        DataError: they do not differ, or there is one.
    """
    require_level(confidence)
    x_SP = np.atleast_2d(shares).astype(np.float64) - least
    n_seeds, n_problems = x_SP.shape
    question = _Question(np.subtract, 0.0, Interval(-least, 1 - least), 1, 0, confidence)
    parts = _over_few_seeds(x_SP, question) if n_seeds > 1 else []
    of_problems_P = x_SP.mean(axis=0)
    error = float(of_problems_P.std(ddof=1)) / n_problems**0.5 if n_problems > 1 else 0.0
    if error < 1e-10:
        raise DataError("all problems have one share: no spread to judge from", hint="probe more problems")
    value, freedom = float(x_SP.mean()), n_problems - 1
    half = float(student.ppf((1 + confidence) / 2, freedom)) * error
    parts.append(_Part(value - half, value + half, float(2 * student.sf(abs(value) / error, freedom))))
    low = max(min(part.low for part in parts), question.possible.low)
    high = min(max(part.high for part in parts), question.possible.high)
    return Estimate(value, Interval(low, high), max(part.p_value for part in parts), n_seeds, n_problems)


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
    value = float(a_SP.mean() / b_SP.mean())
    linear_SP = value + (a_SP - value * b_SP) / b_SP.mean()  # of the same mean and, nearly, variance
    question = _Question(_ratio, 1.0, Interval(0.0, np.inf), resamples, seed, confidence)
    return _estimate(a_SP, b_SP, question, value, linear_SP)


def mean_interval(
    values_P: Floats, *, resamples: int = RESAMPLES, seed: int = 0, confidence: float = 0.95
) -> Interval:
    """Return the interval of a mean over problems of values in [0, 1], one for each problem (as pass@k).

    Each end reckons with one more problem, at 0 and at 1. Raises DataError for no values, or others.
    """
    if values_P.size == 0 or not ((values_P >= 0) & (values_P <= 1)).all():
        raise DataError("an interval of a mean needs values between 0 and 1, one at least")
    require_level(confidence)
    _require_draws(resamples)
    weights_RP, more_R = _weights(values_P.size, resamples, seed)
    sums_R, total_R, tail = weights_RP @ values_P, weights_RP.sum(axis=1) + more_R, (1 - confidence) / 2
    low = float(np.quantile(sums_R / total_R, tail, method="lower"))
    high = float(np.quantile((sums_R + more_R) / total_R, 1 - tail, method="higher"))
    # where all values are 0, or all 1, that end is exact; rounding leaves it an ulp away
    return Interval(0.0 if not values_P.any() else low, 1.0 if (values_P == 1).all() else high)


def _ratio(a_R: Floats, b_R: Floats) -> Floats:
    return np.divide(a_R, b_R, out=np.full_like(a_R, np.inf), where=b_R > 0)


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


@dataclass(frozen=True, slots=True)
class _Question:
    """What is computed from the two means of a resample, its value without effect, and what it can be."""

    compare: Compare
    null: float
    possible: Interval
    resamples: int
    seed: int
    confidence: float
    exact: bool = True  # whether McNemar's test asks the same

    def __post_init__(self) -> None:
        require_level(self.confidence)
        _require_draws(self.resamples)


@dataclass(frozen=True, slots=True)
class _Part:
    """An interval and its two-sided p-value against no effect."""

    low: float
    high: float
    p_value: float


def _estimate(a_SP: Floats, b_SP: Floats, question: _Question, value: float, linear_SP: Floats) -> Estimate:
    """Return the widest of the three intervals; linear_SP has the estimate's mean and, nearly, variance."""
    parts = [_over_problems(a_SP, b_SP, question)]
    if len(a_SP) > 1:
        means_R = question.compare(*_resampled_means(a_SP, b_SP, question.resamples, question.seed))
        parts += [_percentiles(means_R, means_R, question), *_over_few_seeds(linear_SP, question)]
    low = max(min(part.low for part in parts), question.possible.low)
    high = min(max(part.high for part in parts), question.possible.high)
    return Estimate(value, Interval(low, high), max(part.p_value for part in parts), *a_SP.shape)


def _over_problems(a_SP: Floats, b_SP: Floats, question: _Question) -> _Part:
    """Return the interval that reckons, at each end, with one more problem that only the other arm solves."""
    weights_RP, more_R = _weights(a_SP.shape[1], question.resamples, question.seed)
    sums_a_R, sums_b_R = weights_RP @ a_SP.mean(axis=0), weights_RP @ b_SP.mean(axis=0)
    total_R = weights_RP.sum(axis=1) + more_R
    lows_R = question.compare(sums_a_R / total_R, (sums_b_R + more_R) / total_R)
    highs_R = question.compare((sums_a_R + more_R) / total_R, sums_b_R / total_R)
    part = _percentiles(lows_R, highs_R, question)
    if not question.exact or len(a_SP) > 1 or not (_is_whole(a_SP) and _is_whole(b_SP)):
        return part
    exact = mcnemar(a_SP[0] > 0, b_SP[0] > 0).p_value
    if exact <= 1 - question.confidence:
        return _Part(part.low, part.high, exact)
    # the draws say so too, but for their own noise
    return _Part(min(part.low, question.null), max(part.high, question.null), exact)


def _is_whole(values: Floats) -> bool:
    return bool(((values == 0) | (values == 1)).all())


def _over_few_seeds(x_SP: Floats, question: _Question) -> list[_Part]:
    """Return Student's t interval of the mean of a table of crossed seeds and problems; none without spread.

    Source: the two-way layout without replication, with Satterthwaite's (1946) degrees of freedom.
    """
    n_seeds, n_problems = x_SP.shape
    if n_problems < 2:
        return []
    mean, of_seeds_S, of_problems_P = float(x_SP.mean()), x_SP.mean(axis=1), x_SP.mean(axis=0)
    rest_SP = x_SP - of_seeds_S[:, None] - of_problems_P + mean
    seeds = float(of_seeds_S.var(ddof=1)) / n_seeds
    problems = float(of_problems_P.var(ddof=1)) / n_problems
    rest = float((rest_SP**2).sum()) / ((n_seeds - 1) * (n_problems - 1)) / x_SP.size
    variance = max(seeds + problems - rest, seeds, problems)
    if variance < 1e-20:
        return []
    freedom = variance**2 / (seeds**2 / (n_seeds - 1) + problems**2 / (n_problems - 1))
    error = float(np.sqrt(variance))
    half = float(student.ppf((1 + question.confidence) / 2, freedom)) * error
    p_value = float(2 * student.sf(abs(mean - question.null) / error, freedom))
    return [_Part(mean - half, mean + half, p_value)]


def _percentiles(lows_R: Floats, highs_R: Floats, question: _Question) -> _Part:
    """Return the interval from the draws of its low end to those of its high end."""
    tail = (1 - question.confidence) / 2
    # "higher"/"lower" name observed draws, so infinite ratios need no interpolation
    low = float(np.quantile(lows_R, tail, method="lower"))
    high = float(np.quantile(highs_R, 1 - tail, method="higher"))
    below, above = int((lows_R <= question.null).sum()), int((highs_R >= question.null).sum())
    return _Part(low, high, min(1.0, 2 * (min(below, above) + 1) / (len(lows_R) + 1)))


def _resampled_means(a_SP: Floats, b_SP: Floats, resamples: int, seed: int) -> tuple[Floats, Floats]:
    """Return each arm's mean in every resample, [R] each; one draw of seeds and problems serves both."""
    return resampled_mean(a_SP, resamples, seed), resampled_mean(b_SP, resamples, seed)


def resampled_mean(values_SP: Floats, resamples: int, seed: int) -> Floats:
    """Return the mean of a table [S, P] in every resample, [R]: seeds and problems drawn, and crossed.

    Tables of one shape have the same draws.
    """
    seeds_RS, problems_RP = _counts(*values_SP.shape, resamples, seed)
    means = []
    for start in range(0, resamples, _CHUNK):
        chunk = slice(start, start + _CHUNK)
        weights_RP = problems_RP[chunk] / values_SP.size
        means.append(((seeds_RS[chunk] @ values_SP) * weights_RP).sum(axis=1))
    return np.concatenate(means)


@lru_cache(maxsize=4)  # a study compares many arms under the same draws
def _counts(
    n_seeds: int, n_problems: int, resamples: int, seed: int
) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """Return how often each seed [R, S] and each problem [R, P] is drawn in every resample."""
    generator = np.random.default_rng(seed)
    seeds_RS = generator.multinomial(n_seeds, np.full(n_seeds, 1 / n_seeds), size=resamples)
    problems_RP = generator.multinomial(n_problems, np.full(n_problems, 1 / n_problems), size=resamples)
    return seeds_RS.astype(np.int16), problems_RP.astype(np.int16)


@lru_cache(maxsize=2)
def _weights(n_problems: int, resamples: int, seed: int) -> tuple[Floats, Floats]:
    """Return the weights of the problems [R, P] and of the one more [R], which do not add up to one yet."""
    generator = np.random.default_rng(seed)
    more_R = generator.standard_exponential(resamples)
    return generator.standard_exponential((resamples, n_problems)), more_R
