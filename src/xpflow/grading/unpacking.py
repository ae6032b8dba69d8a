"""Plain data as values again: what `packing.py` wrote, rebuilt on the other side.

What is rebuilt is the exact builtin or standard-library type of its tag, never a class of the candidate's. No
pickle is read. Standard library only.
"""

from __future__ import annotations

import array
import collections
import datetime
import decimal
import fractions
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING or __package__:
    from xpflow.grading.frames import WireError
    from xpflow.grading.packing import ATOMS, DEPTH_LIMIT, ITEM_LIMIT, NAMED
else:
    from frames import WireError
    from packing import ATOMS, DEPTH_LIMIT, ITEM_LIMIT, NAMED


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
        if type(node) in ATOMS:
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
    factory = None if name is None else NAMED[name]
    return collections.defaultdict(factory, _pairs(dict)(*parts))


def _match(pattern: Any, string: Any, pos: int, endpos: int, start: int, end: int) -> Any:
    """Match again at the place that was found; what does not match there is no match that Python made."""
    found = pattern.match(string, start, endpos) or pattern.match(string, start, end)
    if found is None or found.span() != (start, end):
        found = pattern.fullmatch(string, start, end)
    return Opaque("Match") if found is None else found


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
    "type": lambda name: NAMED[name],
    "opaque": Opaque,
    "constant": _constant,
}


def rebuild_error(name: str, text: str) -> Exception:
    """Return an exception of a builtin class; raises WireError for what is none."""
    kind = NAMED.get(name)
    if kind is None or not issubclass(kind, Exception):
        raise WireError(f"no builtin exception: {name[:40]!r}")
    try:
        found = kind(text)
    except TypeError:  # UnicodeDecodeError and the like want more
        found = Exception(text)
    assert isinstance(found, Exception)
    return found
