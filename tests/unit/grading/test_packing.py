"""What crosses between the two sides: plain data arrives as it was, all else as an error or as opaque."""

from __future__ import annotations

import array
import collections
import datetime
import decimal
import enum
import fractions
import math
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xpflow.grading.frames import CANDIDATE, Frames, WireError, frame, parse
from xpflow.grading.packing import builtin_error, pack
from xpflow.grading.unpacking import NotPlain, Opaque, rebuild_error, unpack

ATOMS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=5)
HASHABLE = st.recursive(ATOMS, lambda part: st.tuples(part, part), max_leaves=4)
PLAIN = st.recursive(
    HASHABLE | st.complex_numbers(),
    lambda part: (
        st.lists(part, max_size=4)
        | st.dictionaries(HASHABLE, part, max_size=4)
        | st.tuples(part)
        | st.sets(HASHABLE, max_size=4)
    ),
    max_leaves=20,
)
VALUES = [
    *(
        2**63 - 1,
        2**63,
        -(2**63) - 1,
        10**5000,
        -0.0,
        math.inf,
        "\ud800\udc00",
        "\x00é",
        b"\xff",
        bytearray(b"ab"),
    ),
    *(range(3, 9, 2), slice(1, None, 2), ..., NotImplemented, int, ValueError, 1 + 2j),
    collections.Counter("hello"),
    collections.OrderedDict(b=1, a=2),
    collections.defaultdict(list, a=[1]),
    collections.deque([1, 2], maxlen=3),
    array.array("i", [1, 2]),
    decimal.Decimal("1.10"),
    fractions.Fraction(2, 6),
    datetime.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=datetime.timezone(datetime.timedelta(hours=2)), fold=1),
    datetime.date(2026, 1, 2),
    datetime.time(5, 2, 3, fold=1),
    frozenset([1, "a"]),
    datetime.timedelta(1, 2, 3),
    re.compile("a(b)?", re.IGNORECASE),
]


class Colour(enum.IntEnum):
    RED = 3


class Liar(int):
    def __eq__(self, other: object) -> bool:
        return True

    def __int__(self) -> int:
        return 3

    __hash__ = int.__hash__


class Same:
    def __eq__(self, other: object) -> bool:
        return True

    __class__ = int  # type: ignore[assignment]


def carried(value: Any) -> Any:
    """Return what arrives on the other side."""
    stream = Frames()
    stream.feed(frame(CANDIDATE, pack(value)))
    found = stream.take()
    assert found is not None
    assert found[0] == CANDIDATE
    return unpack(parse(found[1]))


def identical(a: Any, b: Any) -> bool:
    """Compare by type at any depth; nan equals itself, and -0.0 not 0.0."""
    return canonical(a) == canonical(b)


def canonical(value: Any) -> Any:
    """Return a value as text and types, with the items of a set in a fixed order."""
    kind = type(value).__name__
    if isinstance(value, set | frozenset):
        return (kind, sorted(map(repr, map(canonical, value))))
    if isinstance(value, dict):
        return (kind, [(canonical(key), canonical(item)) for key, item in value.items()])
    if isinstance(value, list | tuple):
        return (kind, [canonical(item) for item in value])
    return (kind, repr(value))


@given(PLAIN)
@settings(max_examples=200, deadline=None)
def test_plain_data_arrives_with_its_types(value: Any) -> None:
    assert identical(carried(value), value)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_values_of_the_standard_library_arrive_as_their_own_type(value: Any) -> None:
    found = carried([value])[0]
    assert type(found) is type(value)
    assert found == value
    assert value == 10**5000 or repr(found) == repr(value)


def test_iterators_and_views_arrive_as_what_they_are() -> None:
    assert carried(n * n for n in range(3)).__next__() == 0
    assert list(carried(map(str, [1, 2]))) == ["1", "2"]
    assert carried({1: 2}.keys()) == {1}
    assert list(carried({1: 2}.values())) == [2]
    assert carried({1: 2}.items()) == {(1, 2)}


def test_a_match_is_matched_again_on_this_side() -> None:
    found = carried(re.search(r"b+(?=c)", "abbc"))
    assert isinstance(found, re.Match)
    assert (found.group(), found.span()) == ("bb", (1, 3))
    forged = ["match", ["pattern", "a", 32], "bbb", 0, 3, 0, 3]
    assert type(unpack(forged)) is Opaque
    assert repr(unpack(forged)) == "<Match object>"


def test_subclasses_arrive_as_their_plain_base_and_cannot_lie() -> None:
    assert type(carried(Colour.RED)) is int
    assert carried(Liar(5)) == 5
    assert carried(Liar(5)) != 3
    half = type("Half", (float,), {"__float__": lambda self: 2.0, "__pos__": lambda self: 3.0})(0.5)
    assert identical(carried(half), 0.5)
    point = collections.namedtuple("point", "x y")(1, 2)
    assert identical(carried(point), (1, 2))
    lying = type("Lying", (list,), {"__iter__": lambda self: iter([9]), "__len__": lambda self: 0})([1, 2])
    assert carried(lying) == [1, 2]


OPAQUE = {
    "own": Same(),
    "plain": object(),
    "builtin": len,
    "class": Same,
    "function": carried,
    "module": re,
    "open": open,
}


@pytest.mark.parametrize("value", OPAQUE.values(), ids=OPAQUE)
def test_what_is_no_plain_data_is_opaque_and_every_use_of_it_fails(value: Any) -> None:
    found = carried(value)
    assert type(found) is Opaque
    uses = (
        lambda: found == 3,
        lambda: found == 3,
        lambda: found != 3,
        lambda: bool(found),
        lambda: [found] == [3],
    )
    for use in (*uses, lambda: len(found), lambda: found(), lambda: found.real, lambda: found < 3):
        with pytest.raises(NotPlain):
            use()
    assert len({found, carried(value)}) == 2
    assert repr(found) == f"<{type(value).__name__} object>"
    with pytest.raises(WireError, match="no plain data"):
        pack([value], strict=True)


def test_what_can_be_iterated_but_is_no_iterator_is_opaque() -> None:
    for missing in ("__iter__", "__next__"):
        members = {"__iter__": lambda self: self, "__next__": lambda self: 1}
        del members[missing]
        assert type(carried(type("Half", (), members)())) is Opaque


def test_a_defaultdict_keeps_its_factory_only_where_that_is_a_builtin_type() -> None:
    assert carried(collections.defaultdict(int)).default_factory is int
    for factory in (lambda: 1, Colour, type("int", (int,), {})):
        assert carried(collections.defaultdict(factory, a=1)).default_factory is None


@pytest.mark.parametrize("wrap", [lambda part: [part], lambda part: iter([part])], ids=["list", "iterator"])
def test_values_are_written_down_to_a_depth_of_100(wrap: Any) -> None:
    value: Any = 1
    for _ in range(100):
        value = wrap(value)
    if type(value) is list:
        assert unpack(pack(value)) == value
        value = [value]
    else:
        assert pack(value)[0] == "iterator"
        value = 1
        for _ in range(101):
            value = wrap(value)
    with pytest.raises(WireError, match="deeper than 100"):
        pack(value)


def test_a_million_items_are_written_and_no_more() -> None:
    for kind in (list, tuple):
        assert len(pack(kind([0]) * 1_000_000)) == 1 + 1_000_000
        with pytest.raises(WireError, match="more than 1000000 items"):
            pack(kind([0]) * 1_000_001)


def test_an_integer_is_written_while_its_digits_fill_less_than_a_frame() -> None:
    largest = 1 << (8 * (8 << 20) // 3 - 1)
    assert unpack(pack(largest)) == largest
    with pytest.raises(WireError, match="too long"):
        pack(2 * largest)


def test_limits_hold_where_values_are_written() -> None:
    nested: list[Any] = []
    nested.append(nested)
    with pytest.raises(WireError, match="deeper"):
        pack(nested)
    twice: list[Any] = [1]
    for _ in range(30):
        twice = [twice, twice]
    with pytest.raises(WireError, match="items"):
        pack(twice)
    assert len(list(carried(iter(int, 1)))) == 100_000


def test_exceptions_travel_as_the_nearest_builtin_and_never_as_one_that_ends_python() -> None:
    class Own(KeyError):
        pass

    assert builtin_error(Own) == ("KeyError", "Own")
    assert builtin_error(SystemExit) == ("Exception", "SystemExit")
    assert type(rebuild_error("KeyError", "x")) is KeyError
    assert type(rebuild_error("UnicodeDecodeError", "x")) is Exception
    for name in ("SystemExit", "KeyboardInterrupt", "BaseException", "int", "Foo"):
        with pytest.raises(WireError):
            rebuild_error(name, "")
