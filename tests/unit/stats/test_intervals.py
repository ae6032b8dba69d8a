import math

import numpy as np
import pytest

from xpflow.errors import DataError
from xpflow.stats.intervals import wilson
from xpflow.stats.rates import pass_rate


@pytest.mark.parametrize(
    ("passes", "problems", "low", "high"),
    [(74, 164, 37.7, 52.8), (76, 164, 38.9, 54.0), (28, 164, 12.1, 23.6), (106, 500, 17.8, 25.0)],
)
def test_wilson_gives_the_published_intervals(passes: int, problems: int, low: float, high: float) -> None:
    interval = wilson(passes, problems).scaled(100)
    assert (round(interval.low, 1), round(interval.high, 1)) == (low, high)


@pytest.mark.parametrize("passes", [0, 10])
def test_wilson_stays_inside_the_unit_interval_at_the_ends(passes: int) -> None:
    interval = wilson(passes, 10)
    assert 0.0 <= interval.low < interval.high <= 1.0
    assert passes / 10 in interval


@pytest.mark.parametrize(("passes", "problems"), [(1, 0), (-1, 10), (11, 10)])
def test_impossible_counts_are_refused(passes: int, problems: int) -> None:
    with pytest.raises(DataError):
        wilson(passes, problems)


def test_pass_rate_counts_all_seeds_but_takes_its_interval_from_the_problems() -> None:
    passed_SP = np.zeros((4, 100), dtype=bool)
    for seed, passes in enumerate((40, 50, 50, 60)):
        passed_SP[seed, :passes] = True
    rate = pass_rate(passed_SP)
    assert (rate.passes, rate.answers, rate.mean) == (200, 400, 0.5)
    assert rate.sd is not None
    assert math.isclose(rate.sd, np.std([0.4, 0.5, 0.5, 0.6], ddof=1))
    assert rate.interval == wilson(50, 100)


def test_one_seed_has_no_standard_deviation() -> None:
    assert pass_rate(np.ones((1, 7), dtype=bool)).sd is None


def test_an_empty_cell_is_refused() -> None:
    with pytest.raises(DataError):
        pass_rate(np.zeros((0, 5), dtype=bool))
