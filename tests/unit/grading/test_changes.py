"""What a call changed in its arguments reaches the tests' own objects."""

from __future__ import annotations

import collections
from typing import Any

import pytest

from xpflow.grading.outcome import Broken
from xpflow.grading.remote import replace


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ([1, 2], [3]),
        ({1: [2]}, {1: [3], 4: 5}),
        ({1, 2}, {3}),
        (bytearray(b"ab"), bytearray(b"c")),
        (collections.deque([1, 2]), collections.deque([3])),
        (collections.Counter("ab"), collections.Counter("cc")),
        ((1, 2), (1, 2)),
    ],
)
def test_an_argument_takes_the_content_of_its_copy(old: Any, new: Any) -> None:
    replace(old, new)
    assert old == new


def test_an_argument_of_another_type_is_refused() -> None:
    with pytest.raises(Broken):
        replace([1], (1,))
