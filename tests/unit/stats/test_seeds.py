"""Student's t over seeds is scipy's, and seeds that cannot say anything decide nothing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from xpflow.errors import DataError
from xpflow.stats.seeds import over_seeds

A = np.array([0.394, 0.672, 0.403])
B = np.array([0.618, 0.793, 0.651])


@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_pairs_have_the_paired_t_test_and_its_interval(confidence: float) -> None:
    found, wanted = over_seeds(A, B, confidence=confidence), stats.ttest_rel(A, B)
    interval = wanted.confidence_interval(confidence)
    assert found.value == pytest.approx((A - B).mean())
    assert found.p_value == pytest.approx(wanted.pvalue)
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((interval.low, interval.high))


def test_one_side_is_tested_against_a_value() -> None:
    found, wanted = over_seeds(A, null=0.2), stats.ttest_1samp(A, 0.2)
    assert found.p_value == pytest.approx(wanted.pvalue)
    assert found.interval is not None
    assert found.interval.low < A.mean() < found.interval.high


def test_pairs_are_tested_against_a_value() -> None:
    assert over_seeds(A, B, null=-0.1).p_value == pytest.approx(stats.ttest_1samp(A - B, -0.1).pvalue)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([0.5], [0.9]),  # one seed
        ([0.5, 0.5, 0.5], [0.9, 0.9, 0.9]),  # no spread
        ([0.1, 0.2, 0.3], [0.4, 0.5, 0.6]),  # none but that of rounding
    ],
)
def test_without_spread_there_is_no_interval_and_no_small_p(a: list[float], b: list[float]) -> None:
    found = over_seeds(np.array(a), np.array(b))
    assert found.interval is None
    assert found.p_value == 1.0


def test_tiny_numbers_that_differ_have_an_interval() -> None:
    """One step's agreement may be 8e-9, and its spread is one."""
    found = over_seeds(np.array([8.1e-9, 8.6e-9, 8.3e-9]), null=7.5e-9)
    assert found.interval is not None
    assert found.p_value < 0.05


@pytest.mark.parametrize(("a", "b"), [([], None), ([0.1, 0.2], [0.1]), ([0.1, np.nan], None)])
def test_what_are_no_pairs_is_refused(a: list[float], b: list[float] | None) -> None:
    with pytest.raises(DataError):
        over_seeds(np.array(a), None if b is None else np.array(b))
