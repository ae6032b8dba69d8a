"""A value as plain data: what may cross between the two sides of the grader, and how it is written.

A value is a JSON atom (null, true, a number, a string) or a list whose first item is a tag that
`unpacking.py` knows too. Depth and the number of items are limited. Standard library only.

What is lost: identity and aliasing, methods and attributes of subclasses (an IntEnum arrives as the int), the
factory of a defaultdict unless it is a builtin type, items of an iterator past `DRAIN`. What is no plain data
arrives as `Opaque` (`unpacking.py`), which equals nothing.
"""

from __future__ import annotations

import array
import builtins
import collections
import datetime
import decimal
import fractions
import re
from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from xpflow.grading.frames import FRAME_LIMIT, WireError
else:
    from frames import FRAME_LIMIT, WireError

DEPTH_LIMIT = 100
ITEM_LIMIT = 1_000_000
DRAIN = 100_000  # items taken from an iterator
ATOMS = frozenset({type(None), bool, int, float, str})
NAMED = {
    name: value
    for name, value in vars(builtins).items()
    if isinstance(value, type) and value.__module__ == "builtins"
}


def pack(value: Any, *, strict: bool = False) -> Any:
    """Return a value as JSON-able plain data; raises WireError past the limits.

    What is no plain data is packed as opaque, or with `strict` raises WireError.

    Goes by the real type of a value (its method resolution order), not by what `__class__` says, and reads
    subclasses through the methods of their plain base.
    """
    return _Packer(strict).pack(value, 0)


class _Packer:
    """Counts the items of one value while it is packed."""

    def __init__(self, strict: bool) -> None:
        self.left, self.strict = ITEM_LIMIT, strict

    def pack(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind is int:
            return value if -(2**63) < value < 2**63 else _pack_int(value)
        if kind is str:
            return value if value.isascii() else _pack_str(value)
        if kind in ATOMS:
            return value
        if depth >= DEPTH_LIMIT:
            raise WireError(f"nested deeper than {DEPTH_LIMIT}")
        for base in kind.__mro__:
            if base in _PACK:
                return _PACK[base](self, value, depth + 1)
            if base is float:
                return float.__pos__(value)
        return self.other(value, depth + 1)

    def items(self, values: Any, depth: int) -> list[Any]:
        """Return the packed items of an iterable."""
        found = []
        for value in values:
            found.append(self.pack(value, depth))
            self.left -= 1
            if self.left < 0:
                raise WireError(f"more than {ITEM_LIMIT} items")
        return found

    def pairs(self, value: Any, depth: int) -> list[Any]:
        """Return keys and values in turn."""
        return self.items((part for pair in dict.items(value) for part in pair), depth)

    def other(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if isinstance(value, type) and NAMED.get(value.__name__) is value:
            return ["type", value.__name__]
        if hasattr(kind, "__next__") and hasattr(kind, "__iter__"):
            return ["iterator", *self.items(islice(value, DRAIN), depth)]
        if self.strict:
            raise WireError(f"a {kind.__name__} is no plain data")
        return ["opaque", str(kind.__name__)[:80]]


def _pack_int(value: int) -> Any:
    value = int.__add__(value, 0)
    if value.bit_length() > 8 * FRAME_LIMIT // 3:
        raise WireError("an integer that is too long")
    return ["int", hex(value)] if value.bit_length() > 63 else value


def _pack_str(value: str) -> Any:
    value = str.__str__(value)
    try:
        value.encode()
    except UnicodeEncodeError:  # JSON would join two lone surrogates
        return ["text", value.encode("utf-32-le", "surrogatepass").hex()]
    return value


def _pack_list(packer: _Packer, value: Any, depth: int) -> Any:
    if len(value) > ITEM_LIMIT:
        raise WireError(f"more than {ITEM_LIMIT} items")
    return ["list", *packer.items(list.__iter__(value), depth)]


def _pack_set(tag: str) -> Callable[[_Packer, Any, int], Any]:
    base = set if tag == "set" else frozenset
    return lambda packer, value, depth: [tag, *packer.items(base.__iter__(value), depth)]


def _pack_deque(packer: _Packer, value: Any, depth: int) -> Any:
    return [
        "deque",
        collections.deque.maxlen.__get__(value),
        *packer.items(collections.deque.__iter__(value), depth),
    ]


def _pack_defaultdict(packer: _Packer, value: Any, depth: int) -> Any:
    factory = value.default_factory
    name = factory.__name__ if isinstance(factory, type) and NAMED.get(factory.__name__) is factory else None
    return ["defaultdict", name, *packer.pairs(value, depth)]


def _pack_range(packer: _Packer, value: Any, depth: int) -> Any:
    return ["range", *packer.items((value.start, value.stop, value.step), depth)]


def _zone(value: Any, moment: Any) -> datetime.timezone | None:
    """Return the fixed offset of a date's time zone, so that no zone class has to travel."""
    if value.tzinfo is None:
        return None
    offset = value.tzinfo.utcoffset(moment)
    return None if offset is None else datetime.timezone(offset)


def _pack_slice(packer: _Packer, value: Any, depth: int) -> Any:
    return ["slice", *packer.items((value.start, value.stop, value.step), depth)]


def _pack_fraction(packer: _Packer, value: Any, depth: int) -> Any:
    return ["fraction", *packer.items((value.numerator, value.denominator), depth)]


def _pack_datetime(packer: _Packer, value: Any, depth: int) -> Any:
    parts = (value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond)
    return ["datetime", *parts, packer.pack(_zone(value, value), depth), value.fold]


def _pack_time(packer: _Packer, value: Any, depth: int) -> Any:
    parts = (value.hour, value.minute, value.second, value.microsecond)
    return ["time", *parts, packer.pack(_zone(value, None), depth), value.fold]


def _pack_match(packer: _Packer, value: Any, depth: int) -> Any:
    where = [value.start(), value.end()]
    return [
        "match",
        packer.pack(value.re, depth),
        packer.pack(value.string, depth),
        value.pos,
        value.endpos,
        *where,
    ]


def _pack_pattern(packer: _Packer, value: Any, depth: int) -> Any:
    return ["pattern", packer.pack(value.pattern, depth), value.flags]


_PACK: dict[Any, Callable[[_Packer, Any, int], Any]] = {
    int: lambda packer, value, depth: _pack_int(value),
    str: lambda packer, value, depth: _pack_str(value),
    list: _pack_list,
    tuple: lambda packer, value, depth: ["tuple", *packer.items(tuple.__iter__(value), depth)],
    dict: lambda packer, value, depth: ["dict", *packer.pairs(value, depth)],
    set: _pack_set("set"),
    frozenset: _pack_set("frozenset"),
    bytes: lambda packer, value, depth: ["bytes", bytes.hex(value)],
    bytearray: lambda packer, value, depth: ["bytearray", bytearray.hex(value)],
    complex: lambda packer, value, depth: ["complex", complex(value).real, complex(value).imag],
    collections.Counter: lambda packer, value, depth: ["counter", *packer.pairs(value, depth)],
    collections.OrderedDict: lambda packer, value, depth: ["ordereddict", *packer.pairs(value, depth)],
    collections.defaultdict: _pack_defaultdict,
    collections.deque: _pack_deque,
    range: _pack_range,
    slice: _pack_slice,
    array.array: lambda packer, value, depth: ["array", value.typecode, *packer.items(value, depth)],
    decimal.Decimal: lambda packer, value, depth: ["decimal", str(decimal.Decimal(value))],
    fractions.Fraction: _pack_fraction,
    datetime.datetime: _pack_datetime,
    datetime.date: lambda packer, value, depth: ["date", value.year, value.month, value.day],
    datetime.time: _pack_time,
    datetime.timedelta: lambda packer, value, depth: [
        "timedelta",
        value.days,
        value.seconds,
        value.microseconds,
    ],
    datetime.timezone: lambda packer, value, depth: ["timezone", packer.pack(value.utcoffset(None), depth)],
    re.Match: _pack_match,
    re.Pattern: _pack_pattern,
    type({}.keys()): lambda packer, value, depth: ["keys", *packer.items(value, depth)],
    type({}.values()): lambda packer, value, depth: ["values", *packer.items(value, depth)],
    type({}.items()): lambda packer, value, depth: ["items", *packer.items(value, depth)],
    type(...): lambda packer, value, depth: ["constant", "Ellipsis"],
    type(NotImplemented): lambda packer, value, depth: ["constant", "NotImplemented"],
}


def builtin_error(kind: Any) -> tuple[str, str]:
    """Return the nearest builtin Exception of a class, by name, and the class's own name."""
    own = str(kind.__name__)[:80]
    for base in kind.__mro__:
        known = NAMED.get(base.__name__)
        if known is base and known is not None and issubclass(known, Exception):
            return known.__name__, own
    return "Exception", own
