import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import t as student

from xpflow.errors import DataError
from xpflow.stats.bootstrap import fewest_problems, paired_difference, paired_ratio
from xpflow.stats.paired import mcnemar, mcnemar_counts

_SPEC = importlib.util.spec_from_file_location("stats_coverage", Path(__file__).with_name("coverage.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
_MODULE = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_MODULE)
coverage = _MODULE.coverage


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


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_margin_is_cleared_where_the_interval_says_so_and_its_p_value_agrees(seeds: int) -> None:
    """One of 200 problems behind is not 3 points, 24 are more, and of 6 nobody knows."""
    b = np.ones((seeds, 200), dtype=bool)
    for lost, ahead in ((1, True), (6, None), (24, False)):
        a = b.copy()
        a[:, :lost] = False
        found = paired_difference(a, b, null=-0.03, resamples=2000)
        plain = paired_difference(a, b, resamples=2000)
        assert found.value == plain.value == pytest.approx(-lost / 200)
        assert (found.interval.low > -0.03, found.interval.high < -0.03) == (ahead is True, ahead is False)
        assert (found.p_value < 0.05) == (ahead is not None)
        assert not ahead or plain.p_value > 0.5


@pytest.mark.parametrize("seeds", [1, 5])
@pytest.mark.parametrize("problems", [1, 4, 20, 500])
def test_identical_arms_differ_by_nothing_and_the_interval_says_how_little_that_is(seeds, problems) -> None:
    for answers in (np.ones, np.zeros):
        arm = answers((seeds, problems), dtype=bool)
        estimate = paired_difference(arm, arm, resamples=4000)
        assert (estimate.value, estimate.p_value) == (0.0, 1.0)
        exact = 1 - 0.025 ** (1 / problems)  # Clopper and Pearson: none of so many
        assert estimate.interval.high == pytest.approx(exact, rel=0.12)
        assert estimate.interval.low == pytest.approx(-exact, rel=0.12)


@pytest.mark.parametrize(("problems", "p_value"), [(1, 1.0), (2, 0.5), (5, 0.0625), (6, 0.03125)])
def test_so_few_problems_decide_nothing_however_much_they_differ(problems: int, p_value: float) -> None:
    a, b = np.ones((1, problems), dtype=bool), np.zeros((1, problems), dtype=bool)
    for estimate in (paired_difference(a, b), paired_difference(b, a), paired_ratio(b + a[:, :1], a)):
        assert estimate.interval.low < estimate.interval.high
    assert paired_difference(a, b).p_value == paired_difference(b, a).p_value == p_value
    assert (0.0 in paired_difference(a, b).interval) == (problems < fewest_problems() == 6)
    five = paired_difference(np.repeat(a, 5, axis=0), b)  # seeds are no problems
    assert (0.0 in five.interval) == (problems < 6)
    assert five.p_value == pytest.approx(p_value, abs=0.02)


@pytest.mark.parametrize(("confidence", "fewest"), [(0.5, 2), (0.9, 5), (0.95, 6), (0.99, 8), (0.999, 11)])
def test_fewest_problems_are_those_whose_exact_p_can_be_small_enough(confidence, fewest) -> None:
    assert fewest_problems(confidence) == fewest
    assert (
        mcnemar_counts(0, fewest, 0, 0).p_value
        <= 1 - confidence
        < mcnemar_counts(0, fewest - 1, 0, 0).p_value
    )


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_with_one_seed_the_interval_and_mcnemar_s_exact_test_say_the_same(confidence: float) -> None:
    generator, decided = np.random.default_rng(5), 0
    for _ in range(300):
        problems = int(generator.integers(1, 60))
        a, b = generator.uniform(size=(2, 1, problems)) < generator.uniform(0, 1, (2, 1, 1))
        exact = mcnemar(a[0], b[0]).p_value
        estimate = paired_difference(a, b, resamples=4000, confidence=confidence)
        assert estimate.p_value == exact
        if exact > 1 - confidence or exact < 0.8 * (1 - confidence):  # between, the draws are too coarse
            assert (0.0 in estimate.interval) == (exact > 1 - confidence)
        decided += exact <= 1 - confidence
    assert 50 < decided < 280


def test_few_seeds_that_differ_widen_the_interval_and_equal_ones_do_not_narrow_it() -> None:
    generator = np.random.default_rng(0)
    b = np.zeros((1, 400), dtype=bool)
    for rates in ([0.3, 0.5], [0.3, 0.4, 0.5, 0.3, 0.5]):
        a = generator.uniform(size=(len(rates), 400)) < np.array(rates)[:, None]
        one, several = paired_difference(a[:1], b), paired_difference(a, b)
        of_seeds_S = a.mean(axis=1)
        half = student.ppf(0.975, len(rates) - 1) * of_seeds_S.std(ddof=1) / len(rates) ** 0.5
        width = several.interval.high - several.interval.low
        assert width > 0.9 * min(2 * half, 1)
        assert width > one.interval.high - one.interval.low
        same = paired_difference(np.repeat(a[:1], len(rates), axis=0), b)
        assert same.interval.low <= one.interval.low + 0.01
        assert same.interval.high >= one.interval.high - 0.01


@pytest.mark.parametrize("seeds", [1, 5])
@pytest.mark.parametrize("problems", [4, 5, 10, 20])
def test_intervals_cover_the_true_difference_at_every_rate(seeds: int, problems: int) -> None:
    for rate in (0.0, 0.02, 0.3, 1.0):
        for equal in (False, True):
            assert coverage(problems, rate, seeds, equal, 150, 300) >= 0.9, (rate, equal)


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


@pytest.mark.parametrize(("seeds", "unbounded"), [(1, False), (3, True)])
def test_ratio_survives_resamples_in_which_the_reference_solves_nothing(seeds, unbounded) -> None:
    b = np.zeros((seeds, 4), dtype=bool)
    b[:, 0] = True
    interval = paired_ratio(np.ones((seeds, 4), dtype=bool), b, resamples=500).interval
    assert math.isinf(interval.high) == unbounded
    assert 0 <= interval.low < 1 < 10 < interval.high


@pytest.mark.parametrize(("shape_a", "shape_b"), [((2, 5), (3, 5)), ((2, 5), (2, 6)), ((1, 0), (1, 0))])
def test_unpaired_arms_are_refused(shape_a: tuple, shape_b: tuple) -> None:
    with pytest.raises(DataError):
        paired_difference(np.zeros(shape_a, dtype=bool), np.zeros(shape_b, dtype=bool))


def test_ratio_to_an_arm_that_solves_nothing_is_refused() -> None:
    with pytest.raises(DataError):
        paired_ratio(np.ones((1, 3), dtype=bool), np.zeros((1, 3), dtype=bool))
