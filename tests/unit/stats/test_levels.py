"""Levels of confidence and numbers of draws that are none are errors, and nothing is asked of the memory."""

from __future__ import annotations

import numpy as np
import pytest

from xpflow.errors import DataError
from xpflow.stats.bootstrap import fewest_problems, mean_interval, paired_difference
from xpflow.stats.intervals import wilson

BOTH = (np.array([[True, False]]), np.array([[True, True]]))


@pytest.mark.parametrize("confidence", [0.0, 1.0, -0.5, 1.5, 95.0, float("nan"), float("inf")])
def test_a_level_that_is_none_is_an_error(confidence: float) -> None:
    with pytest.raises(DataError, match="a level of confidence"):
        wilson(1, 2, confidence)
    with pytest.raises(DataError, match="a level of confidence"):
        paired_difference(*BOTH, confidence=confidence)
    with pytest.raises(DataError, match="a level of confidence"):
        mean_interval(np.array([0.5]), confidence=confidence)
    with pytest.raises(DataError, match="a level of confidence"):
        fewest_problems(confidence)


@pytest.mark.parametrize("resamples", [0, -1, 99_999_999_999])
def test_draws_that_no_memory_holds_are_an_error(resamples: int) -> None:
    with pytest.raises(DataError, match="bootstrap draws"):
        paired_difference(*BOTH, resamples=resamples)
    with pytest.raises(DataError, match="bootstrap draws"):
        mean_interval(np.array([0.5]), resamples=resamples)
