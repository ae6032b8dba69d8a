import math
from itertools import combinations

import numpy as np
import pytest

from xpflow.errors import DataError
from xpflow.stats.bootstrap import mean_interval
from xpflow.stats.intervals import wilson
from xpflow.stats.rates import pass_at_k, pass_rate


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


@pytest.mark.parametrize(("n", "c", "k"), [(1, 0, 1), (5, 2, 1), (5, 2, 3), (5, 3, 3), (6, 1, 6), (8, 0, 4)])
def test_pass_at_k_is_the_share_of_draws_of_k_samples_with_a_right_one(n: int, c: int, k: int) -> None:
    draws = [any(draw) for draw in combinations([True] * c + [False] * (n - c), k)]
    found = pass_at_k(np.array([c]), np.array([n]), k, resamples=200)
    assert found.mean == pytest.approx(sum(draws) / len(draws))


def test_pass_at_k_is_unbiased_and_its_interval_covers_it() -> None:
    generator, rates_P = np.random.default_rng(0), np.random.default_rng(1).uniform(0, 0.6, 400)
    truth, means, hits = 1 - np.mean((1 - rates_P) ** 3), [], 0
    population = float(1 - np.mean((1 - np.random.default_rng(2).uniform(0, 0.6, 10**6)) ** 3))
    for trial in range(200):
        of_trial_P = generator.uniform(0, 0.6, 40)
        found = pass_at_k(generator.binomial(5, of_trial_P), np.full(40, 5), 3, resamples=400, seed=trial)
        hits += population in found.interval
        means.append(pass_at_k(generator.binomial(5, rates_P), np.full(400, 5), 3, resamples=1).mean)
    assert np.mean(means) == pytest.approx(truth, abs=0.004)  # the plug-in 1 - (1 - c/n)^k is 0.06 too low
    assert hits >= 185


@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("problems", [1, 5, 164])
def test_pass_at_k_has_an_interval_where_all_problems_agree(problems: int, value: float) -> None:
    interval = mean_interval(np.full(problems, value), resamples=4000)
    exact = 1 - 0.025 ** (1 / problems)
    assert interval.high - interval.low == pytest.approx(exact, rel=0.12)
    assert value in interval


@pytest.mark.parametrize(("samples", "k"), [([3, 2], 3), ([2, 2], 0), ([], 1)])
def test_pass_at_k_of_fewer_samples_is_refused(samples: list[int], k: int) -> None:
    with pytest.raises(DataError, match="samples of every problem"):
        pass_at_k(np.zeros(len(samples), dtype=int), np.array(samples, dtype=int), k)
