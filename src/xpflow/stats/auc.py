"""The area under the ROC curve: how often a score is larger where something is true than where it is not."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.stats import norm, rankdata

from xpflow.errors import DataError
from xpflow.stats.intervals import Interval, require_level


@dataclass(frozen=True, slots=True)
class Auc:
    """P(score of a positive > that of a negative), ties counting half, with its interval."""

    value: float
    interval: Interval
    positives: int
    negatives: int


def auc(scores: ArrayLike, positive: ArrayLike, confidence: float = 0.95) -> Auc | None:
    """Return the area for scores `[K]` and labels, bool `[K]`; None where all labels are the same.

    The interval is Newcombe's method 5 (Statistics in Medicine 25, 2006): Hanley and McNeil's variance with
    both group sizes replaced by their mean, as a function of the unknown area, solved for it. So few
    problems do not look certain where all scores are apart. Problems are the unit: give one score each.

    Raises:
        DataError: the two are not of one length, or a score is not finite.
    """
    require_level(confidence)
    values, labels = np.asarray(scores, dtype=np.float64), np.asarray(positive, dtype=bool)
    if values.shape != labels.shape or values.ndim != 1 or not bool(np.isfinite(values).all()):
        raise DataError("an AUC needs one finite score for each label")
    m, n = int(labels.sum()), int((~labels).sum())
    if not m or not n:
        return None
    found = float((rankdata(values)[labels].sum() - m * (m + 1) / 2) / (m * n))
    return Auc(found, _interval(found, m, n, confidence), m, n)


def _interval(found: float, m: int, n: int, confidence: float) -> Interval:
    z = float(norm.ppf((1 + confidence) / 2))

    def distance(area: float) -> float:
        spread = (m + n) / 2 - 1
        weight = 1 + spread * ((1 - area) / (2 - area) + area / (1 + area))
        return abs(found - area) - z * sqrt(area * (1 - area) * weight / (m * n))

    edge = 1e-9  # beside 0 and 1, where the variance is 0: there the distance is below 0 if the area is found
    inside = min(max(found, edge), 1 - edge)
    low = brentq(distance, edge, inside) if distance(edge) > 0 else 0.0
    high = brentq(distance, inside, 1 - edge) if distance(1 - edge) > 0 else 1.0
    return Interval(float(low), float(high))
