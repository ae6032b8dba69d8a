"""What is made of data that no packer wrote: a plain value or a WireError, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xpflow.grading.frames import WireError
from xpflow.grading.unpacking import _REBUILD, unpack

NODES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats() | st.text(max_size=3),
    lambda part: (
        st.lists(part, max_size=4)
        | st.tuples(st.sampled_from(sorted(_REBUILD)), part, part).map(list)
        | st.tuples(st.sampled_from(sorted(_REBUILD)), part).map(list)
    ),
    max_leaves=8,
)


def test_a_value_is_read_down_to_the_depth_that_is_written_and_a_containers_own_parts() -> None:
    deep: Any = 1
    for _ in range(105):
        deep = ["list", deep]
    unpack(deep)
    with pytest.raises(WireError, match="deeper than 100"):
        unpack(["list", deep])


def test_as_many_items_are_read_as_can_be_written_with_their_tags() -> None:
    assert len(unpack(["tuple", *[0] * 1_999_999])) == 1_999_999
    for node in (["tuple", *[0] * 2_000_000], ["tuple", *[["list", 1]] * 800_000]):
        with pytest.raises(WireError, match="more than 1000000 items"):
            unpack(node)


@given(NODES)
@settings(max_examples=400, deadline=None)
def test_any_json_gives_a_plain_value_or_a_wire_error(node: Any) -> None:
    try:
        value = unpack(json.loads(json.dumps(node)))
    except WireError:
        return
    assert type(value).__module__ in {
        *(
            "builtins",
            "collections",
            "datetime",
            "decimal",
            "fractions",
            "re",
            "array",
            "xpflow.grading.unpacking",
        )
    }


@pytest.mark.parametrize(
    "node",
    [
        *([], [1], ["no such tag"], {"a": 1}, ["dict", 1], ["dict", ["list"], 1], ["set", ["list"]]),
        *(["int", "xyz"], ["range", "a"], ["decimal", "x"], ["type", "Foo"], ["type", "quit"], ["bytes", 3]),
        *(
            ["datetime", 1],
            ["pattern", "(", 32],
            ["fraction", 1, 0],
            ["constant", "Foo"],
            ["array", "i", "x"],
        ),
    ],
    ids=str,
)
def test_nonsense_is_a_wire_error(node: Any) -> None:
    with pytest.raises(WireError):
        unpack(node)
