"""Argument tuples that a MicroPy task is tested on: boundaries of its constants, edge cases and random
values."""

from __future__ import annotations

from random import Random
from typing import Any

from xpflow.problems.micropy.grammar import Task

Arguments = tuple[Any, ...]
_ALPHABET = "aeiouAEIbcdxzBCDKZ0379 -"


def candidate_inputs(task: Task, rng: Random, count: int = 32) -> list[Arguments]:
    """Return `count` distinct argument tuples; the first is short and typical, fit to be shown in a
    prompt."""
    draw = {"list": _list_arguments, "text": _text_arguments, "number": _number_arguments}[task.family]
    seen: dict[str, Arguments] = {}
    for index in range(20 * count):
        arguments = draw(task, rng, index)
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
