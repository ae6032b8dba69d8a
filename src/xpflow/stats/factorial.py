"""Effects of factors over cells of outcomes, and a gain shared out over factors by Shapley's value.

A cell is a tuple of levels, one for each factor, and cells may be missing. An effect is averaged, with equal
weight, over the contexts (levels of the other factors) in which all of its cells are there; so is an
interaction, a difference of differences. Legend: S seeds, P problems, R resamples, F factors.

Shapley's value of a factor is its mean contribution over the orders in which the factors can go from their
levels in one cell to those in another. Where a cell on the way is missing, the mean is over the orders that
avoid it (Faigle and Kern 1992, under precedence constraints). The values add up to the whole difference, in
every order and so in their mean (efficiency).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations, product
from math import prod

import numpy as np

from xpflow.stats.bootstrap import RESAMPLES, Estimate, Floats, paired_difference, resampled_mean
from xpflow.stats.frontier import Mixture, Point
from xpflow.stats.intervals import Interval

Levels = tuple[str, ...]  # of one cell, in the factors' order
Cells = Mapping[Levels, Floats]  # outcomes [S, P], 0 and 1 or shares; S may be 1 where nothing depends on it


@dataclass(frozen=True, slots=True)
class Draws:
    """How intervals are made."""

    resamples: int = RESAMPLES
    seed: int = 0
    confidence: float = 0.95

    def difference(self, a_SP: Floats, b_SP: Floats) -> Estimate:
        """Return the paired difference of two tables of outcomes."""
        return paired_difference(
            a_SP, b_SP, resamples=self.resamples, seed=self.seed, confidence=self.confidence
        )

    def means(self, values_SP: Floats) -> Floats:
        """Return the mean of a table in every resample, [R]; tables of one shape share their draws."""
        return resampled_mean(values_SP, self.resamples, self.seed)

    def interval(self, values_R: Floats) -> Interval:
        """Return the percentile interval of resampled values."""
        tail = (1 - self.confidence) / 2
        return Interval(*(float(np.quantile(values_R, end)) for end in (tail, 1 - tail)))


DRAWS = Draws()


@dataclass(frozen=True, slots=True)
class Change:
    """A factor, by number, that goes from one level to another."""

    factor: int
    level: str
    against: str


@dataclass(frozen=True, slots=True)
class Effect:
    """The mean effect of one change, or the interaction of two, and over how many contexts."""

    changes: tuple[Change, ...]
    estimate: Estimate
    contexts: int


@dataclass(frozen=True, slots=True)
class Share:
    """A factor's part of a gain: its Shapley value, and that over the gain (None: there is none to share)."""

    factor: int
    value: Estimate
    share: float | None
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class Gain:
    """The difference of two cells, shared out; `orders` of `all_orders` have every cell on their way."""

    estimate: Estimate
    shares: tuple[Share, ...]
    orders: int
    all_orders: int


def at_common(points: Sequence[Point], nfe: float) -> Mixture | None:
    """Return the mixture of the two settings next to a mean NFE, whatever they solve: nothing is chosen.

    None where all are dearer. Where all are cheaper, the dearest: it takes fewer forwards than it may.
    """
    order = sorted(range(len(points)), key=lambda k: points[k].nfe)
    below = [k for k in order if points[k].nfe <= nfe]
    if not below:
        return None
    first = below[-1]
    if first == order[-1]:
        return Mixture(first, first, 1.0)
    second = order[order.index(first) + 1]
    return Mixture(first, second, (points[second].nfe - nfe) / (points[second].nfe - points[first].nfe))


def effect(
    cells: Cells, changes: Sequence[Change], given: Mapping[int, str] | None = None, draws: Draws = DRAWS
) -> Effect | None:
    """Return the mean effect of one change, or the interaction of several; None without any context.

    Args:
        given: factor, by number -> level: only contexts with these.
    """
    moved = {change.factor for change in changes}
    plus: list[Floats] = []
    minus: list[Floats] = []
    contexts = {_without(levels, moved) for levels in cells if _has(levels, given or {}, moved)}
    used = 0
    for context in sorted(contexts):
        signed = [
            (_with(context, {one.factor: level for one, (level, _) in zip(changes, ends, strict=True)}), ends)
            for ends in product(*(((one.level, 1), (one.against, -1)) for one in changes))
        ]
        if any(levels not in cells for levels, _ in signed):
            continue
        used += 1
        for levels, ends in signed:
            (plus if prod(sign for _, sign in ends) > 0 else minus).append(cells[levels])
    if not used:
        return None
    found = draws.difference(mean_table(plus), mean_table(minus))
    # each side is a mean of 2^(n-1) cells a context, and the interaction is their sum
    return Effect(tuple(changes), _scaled(found, 2.0 ** (len(changes) - 1)), used)


def gain(cells: Cells, start: Levels, goal: Levels, draws: Draws = DRAWS) -> Gain | None:
    """Return the difference goal minus start shared out over the factors in which they differ.

    None where one of the two is missing, or no order has all cells on its way.
    """
    moved = [place for place, (a, b) in enumerate(zip(start, goal, strict=True)) if a != b]
    ways = [way for order in permutations(moved) if (way := _way(cells, start, goal, order)) is not None]
    if not ways or not moved:
        return None
    plus: dict[int, list[Floats]] = {place: [] for place in moved}
    minus: dict[int, list[Floats]] = {place: [] for place in moved}
    for way in ways:
        for place, before, after in way:
            plus[place].append(cells[after])
            minus[place].append(cells[before])
    sides = {place: _paired(mean_table(plus[place]), mean_table(minus[place])) for place in moved}
    whole = draws.difference(cells[goal], cells[start])
    values = {place: draws.difference(*sides[place]) for place in moved}
    drawn = _drawn({place: a - b for place, (a, b) in sides.items()}, draws)
    is_gain = 0.0 not in whole.interval
    shares = [
        Share(
            place,
            values[place],
            values[place].value / whole.value if is_gain else None,
            draws.interval(drawn[place] / sum(drawn.values())) if is_gain else None,
        )
        for place in moved
    ]
    count = len(list(permutations(moved)))
    return Gain(whole, tuple(shares), len(ways), count)


def difference_of_shares(
    cells: Cells, start: Levels, goal: Levels, factors: tuple[int, int], draws: Draws = DRAWS
) -> Estimate | None:
    """Return the Shapley value of one factor minus that of another, as an estimate; None as `gain`."""
    moved = [place for place, (a, b) in enumerate(zip(start, goal, strict=True)) if a != b]
    ways = [way for order in permutations(moved) if (way := _way(cells, start, goal, order)) is not None]
    if not ways or not {*factors} <= {*moved}:
        return None
    plus, minus = [], []
    for way in ways:
        for place, before, after in way:
            if place in factors:
                plus.append(cells[after if place == factors[0] else before])
                minus.append(cells[before if place == factors[0] else after])
    found = draws.difference(mean_table(plus), mean_table(minus))
    return _scaled(found, 2.0)  # a mean over both factors of what is their sum


def _way(
    cells: Cells, start: Levels, goal: Levels, order: Sequence[int]
) -> list[tuple[int, Levels, Levels]] | None:
    """Return the steps (factor, cell before, cell after) of an order; None where a cell is missing."""
    way, at = [], start
    for place in order:
        after = _with(at, {place: goal[place]})
        way.append((place, at, after))
        at = after
    return way if {start, *(after for _, _, after in way)} <= set(cells) else None


def _has(levels: Levels, given: Mapping[int, str], moved: set[int]) -> bool:
    return all(levels[place] == level for place, level in given.items() if place not in moved)


def _with(levels: Levels, changed: Mapping[int, str]) -> Levels:
    return tuple(changed.get(place, level) for place, level in enumerate(levels))


def _without(levels: Levels, moved: set[int]) -> Levels:
    return _with(levels, dict.fromkeys(moved, ""))


def mean_table(tables: Sequence[Floats]) -> Floats:
    """Return the mean of tables [S, P]; one of a single run stands for every seed."""
    seeds = max(len(table) for table in tables)
    total = sum((np.broadcast_to(table, (seeds, table.shape[1])) for table in tables), np.zeros(1))
    mean: Floats = np.asarray(total / len(tables), dtype=np.float64).clip(0.0, 1.0)
    return mean


def _paired(a_SP: Floats, b_SP: Floats) -> tuple[Floats, Floats]:
    found = np.broadcast_arrays(a_SP, b_SP)
    return np.asarray(found[0]), np.asarray(found[1])


def _drawn(values: Mapping[int, Floats], draws: Draws) -> dict[int, Floats]:
    """Return the mean of every table in every resample, the same draws for all."""
    seeds = max(len(table) for table in values.values())
    return {
        place: draws.means(np.broadcast_to(table, (seeds, table.shape[1]))) for place, table in values.items()
    }


def _scaled(found: Estimate, factor: float) -> Estimate:
    return Estimate(
        factor * found.value, found.interval.scaled(factor), found.p_value, found.n_seeds, found.n_problems
    )
