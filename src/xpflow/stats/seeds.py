"""Means over training seeds, for numbers that a seed has one of: Student's t, alone or with seeds as pairs.

Seeds without spread say nothing of what another seed would give: no interval has zero width, and none is
made where there is one seed or all values are equal. With two, t has one degree of freedom and rests on
normal numbers alone, so a claim needs FEWEST_SEEDS.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from xpflow.errors import DataError
from xpflow.stats.intervals import Interval, require_level

Floats = NDArray[np.float64]
FEWEST_SEEDS = 3  # that decide a claim
_ROUNDING = 1e-12  # a spread below this part of the numbers is none


@dataclass(frozen=True, slots=True)
class SeedMean:
    """A mean over seeds, or of differences of pairs; `p_value` is two-sided against `null`.

    interval: None where the seeds tell none; p is then 1.
    """

    values_S: Floats
    null: float
    interval: Interval | None
    p_value: float

    @property
    def value(self) -> float:
        """Return the mean."""
        return float(self.values_S.mean())

    @property
    def n_seeds(self) -> int:
        """Return how many seeds it is from."""
        return len(self.values_S)


def over_seeds(
    a_S: Floats,
    b_S: Floats | None = None,
    *,
    null: float = 0.0,
    confidence: float = 0.95,
    possible: Interval | None = None,
) -> SeedMean:
    """Return the mean of a, or of a minus b with seeds as pairs, with its t interval.

    float [S] each, of the same seeds in the same order. `possible`: what the mean can be, as a share lies in
    [0, 1]; t knows nothing of it, and an end beyond it is cut. Raises DataError for no seed, a number that is
    not finite, or other shapes.
    """
    require_level(confidence)
    a_S = np.asarray(a_S, dtype=np.float64)
    b_S = np.zeros_like(a_S) if b_S is None else np.asarray(b_S, dtype=np.float64)
    if a_S.ndim != 1 or a_S.shape != b_S.shape or a_S.size == 0:
        raise DataError(f"numbers of shapes {a_S.shape} and {b_S.shape} are no pairs of seeds")
    values_S = a_S - b_S
    if not np.isfinite(values_S).all():
        raise DataError("a number of a seed is not finite", hint="leave it out, and say so")
    size = max(float(np.abs(a_S).max()), float(np.abs(b_S).max()), abs(null))
    if len(values_S) < 2 or float(values_S.std(ddof=1)) <= _ROUNDING * size:
        return SeedMean(values_S, null, None, 1.0)
    error, freedom = float(values_S.std(ddof=1)) / len(values_S) ** 0.5, len(values_S) - 1
    mean, half = float(values_S.mean()), float(student.ppf((1 + confidence) / 2, freedom)) * error
    p_value = float(2 * student.sf(abs(mean - null) / error, freedom))
    low, high = mean - half, mean + half
    if possible is not None:
        low, high = max(low, possible.low), min(high, possible.high)
    return SeedMean(values_S, null, Interval(low, high), p_value)
