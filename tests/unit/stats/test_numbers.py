"""Paired differences of numbers without bounds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t as student

from xpflow.errors import DataError
from xpflow.stats.numbers import paired_difference_of_numbers


@pytest.mark.parametrize("seeds", [1, 3])
def test_numbers_without_bounds_have_student_s_interval_or_a_wider_one(seeds: int) -> None:
    generator = np.random.default_rng(1)
    b = 30 + 10 * generator.standard_normal((seeds, 40))
    a = b + 2 + generator.standard_normal((seeds, 40))
    found = paired_difference_of_numbers(a, b, resamples=500)
    swapped = paired_difference_of_numbers(b, a, resamples=500)
    assert found.value == pytest.approx((a - b).mean()) == pytest.approx(-swapped.value)
    assert found.interval.low < found.value < found.interval.high
    assert found.p_value < 0.05 < paired_difference_of_numbers(a, b + 2, resamples=500).p_value
    if seeds == 1:
        half = student.ppf(0.975, 39) * (a - b)[0].std(ddof=1) / 40**0.5
        assert found.interval.low <= found.value - half + 1e-9
        assert found.interval.high >= found.value + half - 1e-9


def test_seeds_that_differ_widen_the_interval_and_equal_numbers_differ_by_nothing() -> None:
    x = np.random.default_rng(2).standard_normal((1, 40))
    alike, apart = (x + shift for shift in (np.zeros((3, 1)), np.array([[-5.0], [0.0], [5.0]])))
    zero = np.zeros((1, 40))
    near, far = (paired_difference_of_numbers(side, zero, resamples=300).interval for side in (alike, apart))
    assert far.high - far.low > 10 * (near.high - near.low)
    same = paired_difference_of_numbers(x, x, resamples=300)
    assert (same.value, same.interval.low, same.interval.high, same.p_value) == (0.0, 0.0, 0.0, 1.0)
    with pytest.raises(DataError, match="not paired"):
        paired_difference_of_numbers(x, x[:, :5])
    with pytest.raises(DataError, match="not finite"):
        paired_difference_of_numbers(x, np.full((1, 40), np.inf))
