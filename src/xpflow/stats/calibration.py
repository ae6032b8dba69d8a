"""Calibration: how far confidences are from the share of readings that are right.

Legend: K readings, BINS equal bins of the confidence in [0, 1]; the last one holds 1 too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xpflow.errors import DataError

BINS = 10
Table = NDArray[np.float64]


def bin_of(c: ArrayLike) -> NDArray[np.int_]:
    """Return the bin of each confidence; raises DataError for one outside of [0, 1], or NaN."""
    values = np.asarray(c, dtype=np.float64)
    if not bool(((values >= 0) & (values <= 1)).all()):
        raise DataError("a confidence is no number between 0 and 1", hint="it is a softmax probability")
    found: NDArray[np.int_] = np.minimum((values * BINS).astype(np.int_), BINS - 1)
    return found


def tally(c_K: ArrayLike, right_K: ArrayLike) -> Table:
    """Return count, sum of confidences and number of right readings of every bin, `[BINS, 3]`."""
    c, right, places = np.asarray(c_K, float).ravel(), np.asarray(right_K, float).ravel(), bin_of(c_K).ravel()
    columns = (np.ones_like(c), c, right)
    return np.stack([np.bincount(places, weights=one, minlength=BINS) for one in columns], axis=-1)


def expected_calibration_error(tally_B3: ArrayLike) -> float:
    """Return sum over bins of n_b / n |accuracy_b - confidence_b|; NaN without readings.

    Source: Naeini et al. (2015), as used by Guo et al., arXiv 1706.04599, Eq. 3.
    """
    count, sums, right = np.asarray(tally_B3, dtype=np.float64).T
    total = count.sum()
    return float(np.abs(right - sums).sum() / total) if total else float("nan")


def sparse(tally_B3: Table) -> list[list[float]]:
    """Return a tally without its empty bins, as lists [bin, count, sum of confidences, right] for JSON."""
    filled = np.flatnonzero(tally_B3[:, 0])
    return [
        [int(one), int(n), round(float(c), 6), int(r)]
        for one, (n, c, r) in zip(filled, tally_B3[filled], strict=True)
    ]


def dense(rows: Iterable[Sequence[float]]) -> Table:
    """Return the tally that `sparse` wrote."""
    tally_B3 = np.zeros((BINS, 3))
    for place, *values in rows:
        tally_B3[int(place)] += values
    return tally_B3
