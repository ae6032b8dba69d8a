"""Argument tuples that test a MicroPy task: boundaries of its constants, edge cases and random values.

`candidate_inputs` draws from the problem's random stream (its order is part of what MicroPy is);
`boundary_inputs` is a fixed list beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from random import Random
from typing import Any, Protocol

from xpflow.problems.micropy.grammar import Family

Arguments = tuple[Any, ...]
_ALPHABET = "aeiouAEIbcdxzBCDKZ0379 -"
_EDGE_CHARACTERS = "aeiouAEIOUbzBZ09 -"


class Task(Protocol):
    """What inputs depend on: the type of the main argument, constants (`@`: the helper), and the helper."""

    @property
    def family(self) -> Family: ...
    @property
    def constants(self) -> tuple[str, ...]: ...
    @property
    def has_helper(self) -> bool: ...


def candidate_inputs(task: Task, rng: Random, count: int = 32) -> list[Arguments]:
    """Return `count` distinct argument tuples; the first is short and typical, fit for a prompt."""
    draw = {"list": _list_arguments, "text": _text_arguments, "number": _number_arguments}[task.family]
    return distinct(partial(draw, task, rng), count)


def distinct(draw: Callable[[int], Arguments], count: int) -> list[Arguments]:
    """Return `count` different argument tuples, fewer where many (numbered) draws find no more."""
    seen: dict[str, Arguments] = {}
    for index in range(20 * count):
        arguments = draw(index)
        seen.setdefault(repr(arguments), arguments)
        if len(seen) == count:
            break
    return list(seen.values())


def _list_arguments(task: Task, rng: Random, index: int) -> Arguments:
    helper = rng.randint(2, 7) if index else rng.randint(2, 4)
    marks = [helper if c == "@" else int(c) for c in task.constants] or [2]
    if index == 0:
        values = [rng.randint(1, 9) for _ in range(4)]
    elif index == 1:
        values = []
    elif index % 4 == 2:
        mark = rng.choice(marks)
        values = [mark - 1, mark, mark + 1, 2 * mark, -mark, 0, -1, 1][: rng.randint(3, 8)]
        rng.shuffle(values)
    elif index % 4 == 3:
        values = [rng.randint(-20, 0) for _ in range(rng.randint(1, 5))]
    else:
        values = [rng.randint(-9, 30) for _ in range(rng.randint(1, 6))]
        values += rng.sample(values, k=min(len(values), rng.randint(0, 2)))
    return (values, helper) if task.has_helper else (values,)


def _text_arguments(task: Task, rng: Random, index: int) -> Arguments:
    length = 4 if index == 0 else rng.randint(2, 9)
    text = "" if index == 1 else "".join(rng.choice(_ALPHABET) for _ in range(length))
    if not task.has_helper:
        return (text,)
    if index == 0:
        text = "abca"
    helper = rng.choice(text) if text and rng.random() < 0.8 else rng.choice(_ALPHABET)
    return text + helper * rng.randint(0, 1), helper


def _number_arguments(task: Task, rng: Random, index: int) -> Arguments:
    marks = [int(c) for c in task.constants] or [3]
    if index == 0:
        return rng.randint(2, 9), rng.randint(2, 9)
    if index % 5 == 1:
        mark = rng.choice(marks)
        return rng.choice((mark - 1, mark, mark + 1, 2 * mark, 0)), rng.randint(-9, 12)
    if index % 5 == 2:
        equal = rng.randint(-9, 12)
        return equal, equal + rng.choice((0, 0, 1, -1))
    return rng.randint(-12, 25), rng.randint(-12, 25)


def boundary_inputs(task: Task) -> list[Arguments]:
    """Return argument tuples at and around every boundary of a task; nothing is drawn.

    Lists of one or two numbers and texts of one or two characters, where an aggregate cannot hide what became
    of an element, and pairs of numbers about each constant and each other.
    """
    if task.family == "text":
        texts = (*_EDGE_CHARACTERS, *map("".join, product("aAbB1", repeat=2)), "aba", "abA1")
        return [(text, h) if task.has_helper else (text,) for text in texts for h in _helpers(task, "aAb1")]
    constants = [int(c) for c in task.constants if c != "@"]
    if task.family == "number":
        firsts = _around(constants or [3])
        return [(a, b) for a in firsts for b in dict.fromkeys((-5, -1, 0, 1, 2, 7, a - 1, a, a + 1))]
    found: list[Arguments] = []
    for helper in _helpers(task, (2, 3, 5)):
        values = _around([*constants, helper] if task.has_helper else constants or [2])
        lists = [[v] for v in values] + [[v, w] for v, w in product(values, (-1, 1, 20))]
        found += [(items, helper) if task.has_helper else (items,) for items in lists]
    return found


def _helpers(task: Task, some: Sequence[Any]) -> Sequence[Any]:
    """Return values of the helper argument to try, or one that is not used when there is none."""
    return some if task.has_helper else some[:1]


def _around(marks: Sequence[int]) -> list[int]:
    """Return small numbers and those next to each mark, its negative and its double, without repetition."""
    near = [n + d for m in marks for n in (m, -m, 2 * m) for d in (-1, 0, 1)]
    return list(dict.fromkeys((-3, -2, -1, 0, 1, 2, 3, 4, *near)))
