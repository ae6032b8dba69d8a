"""The wire between the trusted and the jailed side of the grader: plain data only. Standard library only.

A message is a frame: 4 bytes little-endian length, 1 byte of version, 1 byte of channel, JSON. A value is a
JSON atom (null, true, a number, a string) or a list whose first item is a tag of `_REBUILD`; what is rebuilt
is the exact builtin or standard-library type, never a class of the candidate's, and nothing is unpickled.
Sizes, depth and the number of items are limited where a frame is read and where a value is written.

What is lost: identity and aliasing, methods and attributes of subclasses (an IntEnum arrives as the int), the
factory of a defaultdict unless it is a builtin type, items of an iterator past `DRAIN`. What is no plain data
arrives as `Opaque`, which equals nothing.
"""

from __future__ import annotations

import array
import builtins
import collections
import datetime
import decimal
import fractions
import json
import re
import struct
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, NoReturn

VERSION = 1
CANDIDATE, KEEPER = 0, 1  # channels: what the candidate's process says, what its keeper says of it
HEADER = struct.Struct("<IBB")
FRAME_LIMIT = 8 << 20  # bytes of one message
DEPTH_LIMIT = 100
ITEM_LIMIT = 1_000_000
DRAIN = 100_000  # items taken from an iterator
DECIMAL_DIGITS = 4000  # longer integers travel in hexadecimal: Python limits the conversion
_encode = json.JSONEncoder(check_circular=False).encode
_ATOMS = frozenset({type(None), bool, int, float, str})
_NAMED = {
    name: value
    for name, value in vars(builtins).items()
    if isinstance(value, type) and value.__module__ == "builtins"
}


class WireError(Exception):
    """Bytes or a value that the format does not allow; the text says which rule was broken."""


class NotPlain(Exception):
    """A test touched an answer that is no plain data."""


class Opaque:
    """Stands for an answer that is no plain data: every use but `repr` raises NotPlain."""

    __slots__ = ("type_name",)

    def __init__(self, type_name: str) -> None:
        self.type_name = type_name

    def __repr__(self) -> str:
        return f"<{self.type_name} object>"

    def __hash__(self) -> int:
        return id(self)

    def _refuse(self, *_: Any) -> NoReturn:
        raise NotPlain(f"the answer is a {self.type_name}, which is no plain data")

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse
    __bool__ = __len__ = __iter__ = __call__ = __getitem__ = __contains__ = _refuse
    __getattr__ = _refuse


def frame(channel: int, message: Any) -> bytes:
    """Return the bytes of a message; raises WireError when they are too many or not JSON."""
    try:
        data = _encode(message).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise WireError(f"cannot be written: {error}") from None
    if len(data) > FRAME_LIMIT:
        raise WireError(f"a message of {len(data)} bytes; the limit is {FRAME_LIMIT}")
    return HEADER.pack(len(data), VERSION, channel) + data


def parse(data: bytes) -> Any:
    """Return the message of a frame's body; raises WireError."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise WireError(f"not JSON: {error}") from None


class Frames:
    """Cuts a stream of bytes into frames: `feed` it, then take (channel, body) until there is none."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, part: bytes) -> None:
        """Add bytes that arrived."""
        self._data += part

    def take(self) -> tuple[int, bytes] | None:
        """Return the next whole frame; raises WireError on a bad header, before its body is read."""
        if len(self._data) < HEADER.size:
            return None
        size, version, channel = HEADER.unpack_from(self._data)
        if version != VERSION:
            raise WireError(f"version {version} of the format, not {VERSION}")
        if size > FRAME_LIMIT:
            raise WireError(f"a message of {size} bytes; the limit is {FRAME_LIMIT}")
        end = HEADER.size + size
        if len(self._data) < end:
            return None
        body = bytes(self._data[HEADER.size : end])
        del self._data[:end]
        return channel, body


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
        if kind in _ATOMS:
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
        if isinstance(value, type) and _NAMED.get(value.__name__) is value:
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
    name = factory.__name__ if isinstance(factory, type) and _NAMED.get(factory.__name__) is factory else None
    return ["defaultdict", name, *packer.pairs(value, depth)]


def _pack_range(packer: _Packer, value: Any, depth: int) -> Any:
    return ["range", *packer.items((value.start, value.stop, value.step), depth)]


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


def _zone(value: Any, moment: Any) -> datetime.timezone | None:
    """Return the fixed offset of a date's time zone, so that no zone class has to travel."""
    if value.tzinfo is None:
        return None
    offset = value.tzinfo.utcoffset(moment)
    return None if offset is None else datetime.timezone(offset)


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


def unpack(node: Any) -> Any:
    """Return the value that `pack` wrote; raises WireError on anything else."""
    try:
        return _Unpacker().unpack(node, 0)
    except WireError:
        raise
    except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, re.error) as error:
        raise WireError(f"not a value: {error}") from None


class _Unpacker:
    """Counts the items of one value while it is rebuilt."""

    def __init__(self) -> None:
        self.left = ITEM_LIMIT

    def unpack(self, node: Any, depth: int) -> Any:
        if type(node) in _ATOMS:
            return node
        if type(node) is not list or not node or type(node[0]) is not str:
            raise WireError("neither an atom nor a tagged list")
        if depth >= DEPTH_LIMIT + 5:  # a container's own parts (a date's zone) lie a little deeper
            raise WireError(f"nested deeper than {DEPTH_LIMIT}")
        if node[0] not in _REBUILD:
            raise WireError(f"unknown tag {node[0][:20]!r}")
        self.left -= len(node)
        if self.left < -ITEM_LIMIT:
            raise WireError(f"more than {ITEM_LIMIT} items")
        return _REBUILD[node[0]](
            *[self.unpack(part, depth + 1) if type(part) is list else part for part in node[1:]]
        )


def _pairs(make: Callable[[Any], Any]) -> Callable[..., Any]:
    def rebuild(*parts: Any) -> Any:
        if len(parts) % 2:
            raise WireError("a key without a value")
        return make(zip(parts[::2], parts[1::2], strict=True))

    return rebuild


def _counter(pairs: Iterator[tuple[Any, Any]]) -> Any:
    counter: Any = collections.Counter()
    dict.update(counter, pairs)
    return counter


def _defaultdict(name: str | None, *parts: Any) -> Any:
    factory = None if name is None else _NAMED[name]
    return collections.defaultdict(factory, _pairs(dict)(*parts))


def _match(pattern: Any, string: Any, pos: int, endpos: int, start: int, end: int) -> Any:
    """Match again at the place that was found; what does not match there is no match that Python made."""
    found = pattern.match(string, start, endpos) or pattern.match(string, start, end)
    if found is None or found.span() != (start, end):
        found = pattern.fullmatch(string, start, end)
    return Opaque("Match") if found is None else found


def builtin_error(kind: Any) -> tuple[str, str]:
    """Return the nearest builtin Exception of a class, by name, and the class's own name."""
    own = str(kind.__name__)[:80]
    for base in kind.__mro__:
        known = _NAMED.get(base.__name__)
        if known is base and known is not None and issubclass(known, Exception):
            return known.__name__, own
    return "Exception", own


def rebuild_error(name: str, text: str) -> Exception:
    """Return an exception of a builtin class; raises WireError for what is none."""
    kind = _NAMED.get(name)
    if kind is None or not issubclass(kind, Exception):
        raise WireError(f"no builtin exception: {name[:40]!r}")
    try:
        found = kind(text)
    except TypeError:  # UnicodeDecodeError and the like want more
        found = Exception(text)
    assert isinstance(found, Exception)
    return found


def _integer(text: str) -> int:
    return int(text, 16)


def _constant(name: str) -> Any:
    return {"Ellipsis": ..., "NotImplemented": NotImplemented}[name]


_REBUILD: dict[str, Callable[..., Any]] = {
    "int": _integer,
    "text": lambda code: bytes.fromhex(code).decode("utf-32-le", "surrogatepass"),
    "list": lambda *parts: list(parts),
    "tuple": lambda *parts: parts,
    "set": lambda *parts: set(parts),
    "frozenset": lambda *parts: frozenset(parts),
    "dict": _pairs(dict),
    "counter": _pairs(_counter),
    "ordereddict": _pairs(collections.OrderedDict),
    "defaultdict": _defaultdict,
    "deque": lambda limit, *parts: collections.deque(parts, limit),
    "bytes": bytes.fromhex,
    "bytearray": bytearray.fromhex,
    "complex": lambda real, imaginary: complex(float(real), float(imaginary)),
    "range": range,
    "slice": slice,
    "array": lambda code, *parts: array.array(code, parts),
    "decimal": decimal.Decimal,
    "fraction": fractions.Fraction,
    "datetime": lambda *parts: datetime.datetime(*parts[:-1], fold=parts[-1]),
    "date": datetime.date,
    "time": lambda *parts: datetime.time(*parts[:-1], fold=parts[-1]),
    "timedelta": datetime.timedelta,
    "timezone": datetime.timezone,
    "pattern": re.compile,
    "match": _match,
    "keys": lambda *parts: dict.fromkeys(parts).keys(),
    "values": lambda *parts: dict(enumerate(parts)).values(),
    "items": lambda *parts: dict(parts).items(),
    "iterator": lambda *parts: iter(parts),
    "type": lambda name: _NAMED[name],
    "opaque": Opaque,
    "constant": _constant,
}
