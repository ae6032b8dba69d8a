"""Claims over readings, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from xpflow.stats.factorial import Draws
from xpflow.stats.multiverse import best, held, marginal

DRAWS = Draws(resamples=300)


def rate(passes: int, problems: int = 100) -> np.ndarray:
    return (np.arange(problems) < passes).astype(np.float64)[None]


def test_a_claim_holds_in_a_share_of_the_universes_and_is_decided_in_fewer() -> None:
    pairs = [(rate(60), rate(30)), (rate(31), rate(30)), (rate(30), rate(30)), (rate(10), rate(30))]
    found = held(pairs, draws=DRAWS)
    assert found.holds == (True, True, False, False)
    assert (found.universes, found.share) == (4, 0.5)
    assert (found.decided, found.against) == (1, 1)
    assert found.median == pytest.approx(0.005)
    assert found.interval.low <= found.share <= found.interval.high
    assert found.median_interval.low <= found.median <= found.median_interval.high


def test_a_ratio_is_claimed_of_a_share_of_b() -> None:
    pairs = [(rate(80), rate(90))]
    assert held(pairs, 0.8, DRAWS).holds == (True,)
    assert held(pairs, 0.95, DRAWS).holds == (False,)
    assert held(pairs, 0.3, DRAWS).decided == 1
    assert held([(rate(80), rate(20))], 2.0, DRAWS).decided == 1
    assert held([(rate(40), rate(90))], 2.0, DRAWS).against == 1


def test_the_share_is_certain_where_every_problem_says_the_same() -> None:
    found = held([(rate(100), rate(0))] * 3, draws=DRAWS)
    assert (found.share, found.interval.low, found.interval.high) == (1.0, 1.0, 1.0)


def test_one_run_stands_for_every_seed() -> None:
    three = np.repeat(rate(60), 3, axis=0)
    assert held([(three, rate(30))], draws=DRAWS).decided == 1
    assert marginal([three, rate(40)], [rate(30)], DRAWS).value == pytest.approx(0.2)


def test_the_best_reading_is_within_the_forwards_and_the_first_of_equal_ones() -> None:
    assert best([0.5, 0.7, 0.7, 0.9], [8.0, 8.0, 7.0, 9.0], 8.0) == 1
    assert best([0.5], [9.0], 8.0) is None
