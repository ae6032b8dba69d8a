"""Effects and shares of a gain, by hand, on complete tables of cells and on tables with holes."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from xpflow.stats.factorial import Change, Draws, at_common, difference_of_shares, effect, gain
from xpflow.stats.frontier import Point

P = 400
DRAWS = Draws(resamples=300)
FACTORS = (("hard", "flow"), ("quota", "learned"), ("none", "reedit"))
START, GOAL = ("hard", "quota", "none"), ("flow", "learned", "reedit")


def rate(share: float) -> np.ndarray:
    """Return outcomes [1, P] of which a share, the first problems, passed."""
    return (np.arange(P) < round(share * P)).astype(np.float64)[None]


def additive() -> dict[tuple[str, ...], np.ndarray]:
    """Flow adds 0.1, learning 0.2, both together 0.1 more, re-editing nothing."""
    return {
        cell: rate(
            0.3
            + 0.1 * (cell[0] == "flow")
            + 0.2 * (cell[1] == "learned")
            + 0.1 * (cell[:2] == ("flow", "learned"))
        )
        for cell in product(*FACTORS)
    }


FLOW, LEARNED, REEDIT = (Change(place, high, low) for place, (low, high) in enumerate(FACTORS))


def test_an_effect_is_the_mean_over_the_contexts_of_the_other_factors() -> None:
    found = effect(additive(), [FLOW], draws=DRAWS)
    assert found.contexts == 4
    assert found.estimate.value == pytest.approx(0.15)
    assert found.estimate.interval.low > 0.1
    assert effect(additive(), [LEARNED], draws=DRAWS).estimate.value == pytest.approx(0.25)
    assert effect(additive(), [REEDIT], draws=DRAWS).estimate.value == 0
    given = effect(additive(), [FLOW], {1: "quota"}, DRAWS)
    assert (given.contexts, given.estimate.value) == (2, pytest.approx(0.1))


def test_an_interaction_is_a_difference_of_differences() -> None:
    found = effect(additive(), [FLOW, LEARNED], draws=DRAWS)
    assert (found.contexts, found.estimate.value) == (2, pytest.approx(0.1))
    assert found.estimate.interval.low <= 0.1 <= found.estimate.interval.high
    assert effect(additive(), [FLOW, REEDIT], draws=DRAWS).estimate.value == 0
    other = Change(0, "hard", "flow")
    assert effect(additive(), [other, LEARNED], draws=DRAWS).estimate.value == pytest.approx(-0.1)


def test_contexts_with_a_hole_are_left_out() -> None:
    cells = additive()
    del cells["hard", "quota", "reedit"]
    assert effect(cells, [FLOW], draws=DRAWS).contexts == 3
    assert effect(cells, [FLOW, REEDIT], draws=DRAWS).contexts == 1
    only = {cell: one for cell, one in cells.items() if cell[0] == "hard"}
    assert effect(only, [FLOW], draws=DRAWS) is None


def test_shares_are_those_of_shapley_by_hand() -> None:
    """Flow 0.1 + half of the interaction, learning 0.2 + the other half, re-editing nothing: of 0.4."""
    found = gain(additive(), START, GOAL, DRAWS)
    assert (found.orders, found.all_orders) == (6, 6)
    assert found.estimate.value == pytest.approx(0.4)
    assert [one.value.value for one in found.shares] == pytest.approx([0.15, 0.25, 0.0])
    assert [one.share for one in found.shares] == pytest.approx([0.375, 0.625, 0.0])
    for one in found.shares:
        assert one.interval.low - 1e-9 <= one.share <= one.interval.high + 1e-9
    between = difference_of_shares(additive(), START, GOAL, (1, 0), DRAWS)
    assert between.value == pytest.approx(0.1)


@pytest.mark.parametrize("holes", [(), ("hard", "quota", "reedit"), ("hard", "learned", "none")])
@pytest.mark.parametrize("seed", range(5))
def test_shares_add_up_to_the_gain_whatever_the_cells_hold(seed: int, holes: tuple[str, ...]) -> None:
    """Efficiency, with several seeds in some cells and one in others, and with a missing cell."""
    drawn = np.random.default_rng(seed)
    cells = {
        cell: (drawn.uniform(size=(3 if cell[1] == "learned" else 1, 40)) < drawn.uniform()).astype(float)
        for cell in product(*FACTORS)
        if cell != holes
    }
    found = gain(cells, START, GOAL, DRAWS)
    assert sum(one.value.value for one in found.shares) == pytest.approx(found.estimate.value)
    assert found.estimate.value == pytest.approx(cells[GOAL].mean() - cells[START].mean())
    assert found.orders == (6 if not holes else 4)
    if found.shares[0].share is not None:
        assert sum(one.share for one in found.shares) == pytest.approx(1.0)


def test_a_factor_that_changes_nothing_has_no_share_and_equal_ones_have_equal_shares() -> None:
    cells = {
        cell: rate(0.2 + 0.3 * (cell[0] == "flow") * (cell[1] == "learned")) for cell in product(*FACTORS)
    }
    values = [one.value.value for one in gain(cells, START, GOAL, DRAWS).shares]
    assert values == pytest.approx([0.15, 0.15, 0.0])


def test_without_a_gain_there_are_no_shares_and_without_a_way_nothing() -> None:
    flat = dict.fromkeys(product(*FACTORS), rate(0.5))
    found = gain(flat, START, GOAL, DRAWS)
    assert [one.share for one in found.shares] == [None, None, None]
    ends = {cell: one for cell, one in additive().items() if cell in (START, GOAL)}
    assert gain(ends, START, GOAL, DRAWS) is None
    assert gain({**additive()}, START, START, DRAWS) is None
    assert difference_of_shares(additive(), START, ("flow", "quota", "none"), (0, 1), DRAWS) is None


def point(label: str, nfe: float) -> Point:
    return Point(label, np.full((1, 4), 0.5), np.full((1, 4), nfe))


def test_a_cell_at_a_common_cost_is_a_mixture_of_its_neighbours_whatever_they_solve() -> None:
    points = [point("dear", 10.0), point("cheap", 4.0), point("middle", 6.0)]
    found = at_common(points, 8.0)
    assert (found.first, found.second, found.share) == (2, 0, pytest.approx(0.5))
    assert found.of(points).nfe == pytest.approx(8.0)
    assert at_common(points, 6.0).of(points).label == "middle"
    assert at_common(points, 3.9) is None
    assert at_common(points, 50.0).of(points).label == "dear"
