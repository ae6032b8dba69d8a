"""The area under the ROC curve against counting pairs, and its interval."""

from __future__ import annotations

import numpy as np
import pytest

from xpflow.errors import DataError
from xpflow.stats.auc import auc


def by_pairs(scores, positive) -> float:
    pairs = [
        (a, b)
        for a, p in zip(scores, positive, strict=True)
        if p
        for b, q in zip(scores, positive, strict=True)
        if not q
    ]
    return sum((a > b) + 0.5 * (a == b) for a, b in pairs) / len(pairs)


def test_it_counts_pairs_and_ties_count_half() -> None:
    scores, positive = [0.1, 0.4, 0.35, 0.8, 0.4], [False, False, True, True, True]
    found = auc(scores, positive)
    assert found is not None
    assert found.value == pytest.approx(by_pairs(scores, positive)) == pytest.approx(4.5 / 6)
    assert (found.positives, found.negatives) == (3, 2)


@pytest.mark.parametrize("seed", range(5))
def test_swapping_the_labels_mirrors_value_and_interval(seed) -> None:
    generator = np.random.default_rng(seed)
    scores, positive = generator.integers(0, 9, 40), generator.random(40) < 0.4
    one, other = auc(scores, positive), auc(scores, ~positive)
    assert one is not None
    assert other is not None
    assert one.value == pytest.approx(by_pairs(scores, positive)) == pytest.approx(1 - other.value)
    assert one.interval.low == pytest.approx(1 - other.interval.high)
    assert one.interval.low < one.value < one.interval.high


def test_a_perfect_separation_of_few_is_not_certain() -> None:
    found = auc([1, 2, 3, 4], [False, False, True, True])
    assert found is not None
    assert found.value == found.interval.high == 1.0
    assert 0.2 < found.interval.low < 0.7
    more = auc(np.arange(200), np.arange(200) >= 100)
    assert more is not None
    assert more.interval.low > 0.9


def test_the_interval_covers_as_often_as_it_says() -> None:
    """Normal scores whose true area is 0.76: 600 draws of 15 and 25."""
    from scipy.stats import norm

    generator, truth, inside = np.random.default_rng(0), float(norm.cdf(1 / np.sqrt(2))), 0
    labels = np.arange(40) < 15
    for _ in range(600):
        found = auc(generator.normal(labels.astype(float), 1.0), labels)
        assert found is not None
        inside += truth in found.interval
    assert 0.93 <= inside / 600 <= 0.985


def test_what_cannot_be_compared_is_told() -> None:
    assert auc([1.0, 2.0], [True, True]) is None
    for scores in ([1.0], [np.nan, 1.0]):
        with pytest.raises(DataError, match="one finite score"):
            auc(scores, [True, False])
