"""Intervals of paired differences of numbers without bounds, as nats: over training seeds and problems.

Pass rates lie between 0 and 1, so that `stats.bootstrap` can reckon with the worst problem that there may be.
Nats have none. The interval is the widest of the percentile interval, with seeds and problems drawn and
crossed, Student's t over problems, and with several seeds Student's t over seeds; p is the largest of theirs.
None of them is exact: they need many problems, no few of which have most of the spread.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from xpflow.errors import DataError
from xpflow.stats.bootstrap import RESAMPLES, Estimate, resampled_mean
from xpflow.stats.intervals import Interval, require_level

Floats = NDArray[np.float64]
Part = tuple[float, float, float]  # both ends, and the two-sided p-value against 0
NO_SPREAD = 1e-12  # below it a standard error says nothing


def paired_difference_of_numbers(
    a_SP: Floats, b_SP: Floats, *, resamples: int = RESAMPLES, seed: int = 0, confidence: float = 0.95
) -> Estimate:
    """Return the difference of means, a minus b.

    float [S, P] each, one row allowed for a side without seeds; columns are the same problems. Raises
    DataError where that is not so, or a number is not finite.
    """
    require_level(confidence)
    try:
        a_SP, b_SP = np.broadcast_arrays(np.atleast_2d(a_SP), np.atleast_2d(b_SP))
    except ValueError:
        raise DataError(f"numbers of shapes {a_SP.shape} and {b_SP.shape} are not paired") from None
    x_SP = a_SP - b_SP
    if not x_SP.size or not np.isfinite(x_SP).all():
        raise DataError("numbers that are to be compared are none, or not finite")
    parts: list[Part | None] = [_percentiles(resampled_mean(x_SP, resamples, seed), confidence)]
    parts += [_student(values, confidence) for values in (x_SP.mean(axis=0), x_SP.mean(axis=1))]
    low, high, p_value = zip(*(part for part in parts if part is not None), strict=True)
    return Estimate(float(x_SP.mean()), Interval(min(low), max(high)), max(p_value), *x_SP.shape)


def _percentiles(means_R: Floats, confidence: float) -> Part:
    tail = (1 - confidence) / 2
    low, high = np.quantile(means_R, [tail, 1 - tail])
    beyond = min(int((means_R <= 0).sum()), int((means_R >= 0).sum()))
    return float(low), float(high), min(1.0, 2 * (beyond + 1) / (len(means_R) + 1))


def _student(values: Floats, confidence: float) -> Part | None:
    """Return the interval of a mean of independent values; None where there is one, or no spread."""
    error = float(values.std(ddof=1)) / len(values) ** 0.5 if len(values) > 1 else 0.0
    if error < NO_SPREAD:
        return None
    mean, freedom = float(values.mean()), len(values) - 1
    half = float(student.ppf((1 + confidence) / 2, freedom)) * error
    return mean - half, mean + half, float(2 * student.sf(abs(mean) / error, freedom))
