"""Leads of readings: a against several times b, and against a number."""

from __future__ import annotations

import numpy as np
import pytest

from xpflow.errors import DataError
from xpflow.stats.bootstrap import mean_lead, paired_difference, paired_lead


def shares(problems: int, rate: float, seed: int, tokens: int = 11) -> np.ndarray:
    drawn = np.random.default_rng(seed).binomial(tokens, rate, size=(1, problems)) / tokens
    return np.asarray(drawn)


def test_once_b_is_the_difference_and_its_interval() -> None:
    a, b = shares(60, 0.8, 0), shares(60, 0.5, 1)
    lead, plain = paired_lead(a, b, 1.0, resamples=500), paired_difference(a, b, resamples=500)
    assert lead.value == pytest.approx(plain.value)
    assert (lead.interval, lead.p_value) == (plain.interval, plain.p_value)


def test_twice_b_leads_where_a_has_more_than_twice_as_much() -> None:
    a, b = shares(120, 0.9, 0), shares(120, 0.2, 1)
    lead = paired_lead(a, b, 2.0, resamples=500)
    assert lead.value == pytest.approx(a.mean() - 2 * b.mean())
    assert lead.interval.low > 0
    assert paired_lead(a, b, 6.0, resamples=500).interval.high < 0


def test_whole_answers_have_no_exact_test_when_b_counts_twice() -> None:
    """McNemar's test asks whether a has more than b; all of a and half of b have no lead over twice b."""
    a, b = np.ones((1, 40)), np.tile([0.0, 1.0], 20)[None]
    assert paired_difference(a, b, resamples=500).interval.low > 0
    lead = paired_lead(a, b, 2.0, resamples=500)
    assert lead.interval.low < 0 < lead.interval.high


def test_the_interval_of_a_mean_near_one_covers_it() -> None:
    """160 problems of 11 tokens, of which 99 % are kept; the low end fails seldom enough to judge 98 %."""
    found = [mean_lead(shares(160, 0.99, seed), 0.98).interval for seed in range(400)]
    covered = np.mean([one.low <= 0.01 <= one.high for one in found])
    assert 0.92 <= covered <= 0.98
    assert np.mean([one.low > 0 for one in found]) > 0.9
    at_bound = [mean_lead(shares(160, 0.98, seed), 0.98).interval.low > 0 for seed in range(400)]
    assert np.mean(at_bound) < 0.05


def test_seeds_widen_it_and_equal_problems_are_refused() -> None:
    one = shares(160, 0.99, 0)
    several = np.concatenate((one - 0.05, one, one + 0.05))
    assert mean_lead(several, 0.98).interval.low < mean_lead(one, 0.98).interval.low
    with pytest.raises(DataError, match="no spread"):
        mean_lead(np.ones((1, 9)), 0.98)
