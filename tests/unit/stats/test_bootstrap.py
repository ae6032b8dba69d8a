import math

import numpy as np
import pytest

from xpflow.errors import DataError
from xpflow.stats.bootstrap import paired_difference, paired_ratio


def _correlated(generator: np.random.Generator, seeds: int, problems: int, gain: float) -> tuple:
    """Two arms that share each problem's difficulty; arm a is better by `gain` on average."""
    difficulty_P = generator.uniform(0.2, 0.7, problems)
    shift_S = generator.normal(0, 0.02, (seeds, 1))
    a = generator.uniform(size=(seeds, problems)) < difficulty_P + gain + shift_S
    b = generator.uniform(size=(seeds, problems)) < difficulty_P
    return a, b


def test_interval_covers_the_true_difference_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(3)
    hits = 0
    for trial in range(100):
        a, b = _correlated(generator, 5, 80, 0.1)
        hits += 0.1 in paired_difference(a, b, resamples=400, seed=trial).interval
    assert hits >= 88


def test_the_same_seed_gives_the_same_interval_and_swapping_arms_negates_it() -> None:
    a, b = _correlated(np.random.default_rng(0), 3, 60, 0.2)
    forward, again, backward = (
        paired_difference(x, y, resamples=500, seed=7) for x, y in ((a, b), (a, b), (b, a))
    )
    assert forward == again
    assert forward.value == -backward.value
    assert forward.interval.low == pytest.approx(-backward.interval.high)


def test_identical_arms_differ_by_exactly_nothing() -> None:
    a, _ = _correlated(np.random.default_rng(1), 3, 50, 0.0)
    estimate = paired_difference(a, a, resamples=200)
    assert (estimate.value, estimate.interval.low, estimate.interval.high) == (0.0, 0.0, 0.0)
    assert estimate.p_value == 1.0


def test_an_arm_with_one_run_is_held_against_every_seed() -> None:
    a, b = _correlated(np.random.default_rng(2), 4, 50, 0.2)
    single = b[:1]
    repeated = paired_difference(a, np.repeat(single, 4, axis=0), resamples=300, seed=1)
    assert paired_difference(a, single, resamples=300, seed=1) == repeated
    assert repeated.n_seeds == 4


def test_pairing_narrows_the_interval_of_arms_that_agree() -> None:
    generator = np.random.default_rng(4)
    b = generator.uniform(size=(1, 400)) < 0.5
    a = b | (generator.uniform(size=(1, 400)) < 0.05)
    shuffled = a[:, generator.permutation(400)]
    paired, unpaired = (paired_difference(x, b, resamples=500) for x in (a, shuffled))
    assert paired.interval.high - paired.interval.low < 0.6 * (unpaired.interval.high - unpaired.interval.low)


def test_ratio_is_the_share_kept() -> None:
    b = np.zeros((1, 100), dtype=bool)
    b[0, :80] = True
    a = b.copy()
    a[0, :20] = False
    estimate = paired_ratio(a, b, resamples=500)
    assert estimate.value == pytest.approx(0.75)
    assert 0.6 < estimate.interval.low < 0.75 < estimate.interval.high < 0.9


def test_ratio_survives_resamples_in_which_the_reference_solves_nothing() -> None:
    b = np.zeros((1, 4), dtype=bool)
    b[0, 0] = True
    assert math.isinf(paired_ratio(np.ones((1, 4), dtype=bool), b, resamples=500).interval.high)


@pytest.mark.parametrize(("shape_a", "shape_b"), [((2, 5), (3, 5)), ((2, 5), (2, 6)), ((1, 0), (1, 0))])
def test_unpaired_arms_are_refused(shape_a: tuple, shape_b: tuple) -> None:
    with pytest.raises(DataError):
        paired_difference(np.zeros(shape_a, dtype=bool), np.zeros(shape_b, dtype=bool))


def test_ratio_to_an_arm_that_solves_nothing_is_refused() -> None:
    with pytest.raises(DataError):
        paired_ratio(np.ones((1, 3), dtype=bool), np.zeros((1, 3), dtype=bool))
