"""The semantics of MicroPy: what a small task computes, independent of how it is worded or coded.

A task is a point in a small product space. List and text tasks are `aggregator x map x filter`; number tasks
are `condition x expression x expression`. Constants are small integers or a helper argument of the function.
The *combination* of a task (its kinds without constants) is what the splits hold out: see `splits.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from random import Random
from typing import Literal

Family = Literal["list", "text", "number"]
Combination = tuple[str, ...]

LIST_AGGREGATORS = ("sum", "max", "min", "list", "sorted", "distinct", "count")
LIST_MAPS = ("id", "square", "mul", "add", "sub", "abs", "neg", "mod", "div")
LIST_FILTERS = ("all", "even", "odd", "gt", "lt", "multiple", "positive", "negative", "ne")
TEXT_AGGREGATORS = ("join", "reversed", "list", "distinct", "count")
TEXT_MAPS = ("id", "upper", "lower", "double")
TEXT_FILTERS = ("all", "vowel", "consonant", "digit", "letter", "upper", "lower", "is", "isnot")
CONDITIONS = ("gt", "lt", "eq", "even", "odd", "gtk", "sumeven", "multiple")
EXPRESSIONS = ("add", "sub", "rsub", "mul", "first", "second", "addk", "mulk")

MAPS_WITH_CONSTANT = frozenset({"mul", "add", "sub", "mod", "div"})
FILTERS_WITH_CONSTANT = frozenset({"gt", "lt", "multiple", "ne"})
EXPRESSIONS_WITH_CONSTANT = frozenset({"addk", "mulk"})
CONDITIONS_WITH_CONSTANT = frozenset({"gtk", "multiple"})
CONSTANTS = range(2, 10)


@dataclass(frozen=True, slots=True)
class Task:
    """One task: its family, its combination of kinds and the constants that fill it.

    `constants` are strings: a digit, or `@` for the helper argument of the function (at most one `@`).
    They belong, in order, to the parts of the combination that need one.
    """

    family: Family
    combination: Combination
    constants: tuple[str, ...]

    @property
    def has_helper(self) -> bool:
        """Whether the function takes a helper argument beside its main one."""
        return "@" in self.constants

    @property
    def key(self) -> str:
        """A name that two tasks share exactly when they have the same parts and constants."""
        return ":".join((self.family, *self.combination, *self.constants))


def combinations(family: Family) -> Iterator[Combination]:
    """Yield every combination of a family, in a fixed order."""
    if family == "number":
        yield from ((c, x, y) for c, x, y in product(CONDITIONS, EXPRESSIONS, EXPRESSIONS) if x != y)
        return
    aggregators, maps, filters = {
        "list": (LIST_AGGREGATORS, LIST_MAPS, LIST_FILTERS),
        "text": (TEXT_AGGREGATORS, TEXT_MAPS, TEXT_FILTERS),
    }[family]
    for agg, mapping, keep in product(aggregators, maps, filters):
        if _is_sensible(agg, mapping, keep):
            yield agg, mapping, keep


def _is_sensible(agg: str, mapping: str, keep: str) -> bool:
    """Drop combinations whose map cannot matter or that need no work at all."""
    if agg == "count":
        return mapping == "id" and keep != "all"
    if agg in ("list", "join") and mapping == "id":
        return keep != "all"
    if keep == "digit" and mapping in ("upper", "lower"):
        return False
    return not (keep == mapping and keep in ("upper", "lower"))


def constant_slots(family: Family, combination: Combination) -> int:
    """How many constants a combination needs."""
    if family == "number":
        condition, left, right = combination
        needs = [condition in CONDITIONS_WITH_CONSTANT]
        needs += [part in EXPRESSIONS_WITH_CONSTANT for part in (left, right)]
        return sum(needs)
    _, mapping, keep = combination
    if family == "text":
        return int(keep in ("is", "isnot"))
    return int(mapping in MAPS_WITH_CONSTANT) + int(keep in FILTERS_WITH_CONSTANT)


def draw_task(rng: Random, family: Family, combination: Combination) -> Task:
    """Fill a combination with constants; list tasks use the helper argument for one of them half the time."""
    slots = constant_slots(family, combination)
    if family == "text":
        return Task(family, combination, ("@",) * slots)
    constants = [str(rng.choice(CONSTANTS)) for _ in range(slots)]
    if family == "list" and slots and rng.random() < 0.5:
        constants[rng.randrange(slots)] = "@"
    return Task(family, combination, tuple(constants))
