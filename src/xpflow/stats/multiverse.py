"""Specification curves: an outcome under every reading of what a paper leaves open.

Source: Simonsohn, Simmons and Nelson 2020 (specification curve), Steegen et al. 2016 (multiverse). Legend: U
universes, S seeds, P problems, R resamples. All intervals are over problems (and seeds, crossed), with the
same draws in every universe: universes share their problems and are no sample of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xpflow.stats.bootstrap import Estimate, Floats
from xpflow.stats.factorial import DRAWS, Draws, mean_table
from xpflow.stats.intervals import Interval
from xpflow.stats.paired import holm

Pair = tuple[Floats, Floats]  # outcomes a and b [S, P] of one universe


@dataclass(frozen=True, slots=True)
class Held:
    """A claim a > least * b over universes.

    share: of universes in which it holds as it stands; decided, against: in how many it is confirmed, and
    contradicted, by an interval and by Holm's correction over the universes; median: of a - least * b.
    """

    universes: int
    holds: tuple[bool, ...]
    share: float
    interval: Interval
    decided: int
    against: int
    median: float
    median_interval: Interval


def held(pairs: Sequence[Pair], least: float = 1.0, draws: Draws = DRAWS) -> Held:
    """Return in which universes a claim holds, a > least * b, and how sure that is."""
    seeds = max(len(side) for pair in pairs for side in pair)  # the same draws need the same shape
    values = [
        np.broadcast_to(a_SP - least * b_SP, (seeds, a_SP.shape[1])).astype(np.float64)
        for a_SP, b_SP in pairs
    ]
    means_U = np.array([value_SP.mean() for value_SP in values])
    drawn_UR = np.stack([draws.means(value_SP) for value_SP in values])
    estimates = [_estimate(a_SP, b_SP, least, draws) for a_SP, b_SP in pairs]
    corrected = holm([one.p_value for one in estimates])
    sure = [p <= 1 - draws.confidence for p in corrected]
    ups = [one.interval.low > 0 and ok for one, ok in zip(estimates, sure, strict=True)]
    downs = [one.interval.high < 0 and ok for one, ok in zip(estimates, sure, strict=True)]
    return Held(
        universes=len(pairs),
        holds=tuple(bool(mean > 0) for mean in means_U),
        share=float((means_U > 0).mean()),
        interval=draws.interval((drawn_UR > 0).mean(axis=0)),
        decided=sum(ups),
        against=sum(downs),
        median=float(np.median(means_U)),
        median_interval=draws.interval(np.median(drawn_UR, axis=0)),
    )


def marginal(with_value: Sequence[Floats], with_default: Sequence[Floats], draws: Draws = DRAWS) -> Estimate:
    """Return the mean over universes with one value minus that over those with the default."""
    return draws.difference(mean_table(with_value), mean_table(with_default))


def best(accuracies: Sequence[float], forwards: Sequence[float], most: float) -> int | None:
    """Return the number of the universe of the highest accuracy within a mean NFE; ties go to the first."""
    able = [k for k, nfe in enumerate(forwards) if nfe <= most + 1e-9]
    return max(able, key=lambda k: (accuracies[k], -k), default=None)


def _estimate(a_SP: Floats, b_SP: Floats, least: float, draws: Draws) -> Estimate:
    """Return a - least * b as an estimate, in units in which no outcome is above 1."""
    scale = max(1.0, least)
    return draws.difference(a_SP / scale, least * b_SP / scale)
