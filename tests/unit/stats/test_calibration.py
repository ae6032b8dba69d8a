"""Calibration errors of toys whose answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from xpflow.errors import DataError
from xpflow.stats.calibration import BINS, bin_of, dense, expected_calibration_error, sparse, tally


def test_a_perfectly_calibrated_toy_has_no_error() -> None:
    c = [0.5] * 4 + [0.75] * 4 + [1.0] * 3
    right = [1, 0, 1, 0, 1, 1, 1, 0, 1, 1, 1]
    assert expected_calibration_error(tally(c, right)) == 0.0


def test_the_error_is_weighed_by_the_bins_counts() -> None:
    # bin 9: three at 0.9, none right -> 0.9; bin 2: one at 0.25, right -> 0.75
    assert expected_calibration_error(tally([0.9, 0.9, 0.9, 0.25], [0, 0, 0, 1])) == pytest.approx(
        (3 * 0.9 + 0.75) / 4
    )


def test_bins_are_tenths_and_the_last_holds_1() -> None:
    assert bin_of([0.0, 0.0999, 0.1, 0.95, 1.0]).tolist() == [0, 0, 1, 9, 9]
    for wrong in (-0.1, 1.1, math.nan):
        with pytest.raises(DataError, match="no number between 0 and 1"):
            bin_of([wrong])


def test_tallies_add_and_survive_json() -> None:
    one, two = tally([0.3, 0.95], [1, 0]), tally([0.95], [1])
    both = dense(sparse(one)) + dense(sparse(two))
    assert np.allclose(both, tally([0.3, 0.95, 0.95], [1, 0, 1]))
    assert sparse(one) == [[3, 1, 0.3, 1], [9, 1, 0.95, 0]]


def test_of_nothing_there_is_no_error() -> None:
    assert math.isnan(expected_calibration_error(np.zeros((BINS, 3))))
