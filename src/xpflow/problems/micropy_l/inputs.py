"""Argument tuples that test a MicroPy-L task: MicroPy's for lists and texts, and numbers."""

from __future__ import annotations

from functools import partial
from random import Random

from xpflow.problems.micropy import inputs
from xpflow.problems.micropy.inputs import Arguments, distinct
from xpflow.problems.micropy_l.grammar import Source, Task


def candidate_inputs(task: Task, rng: Random, count: int = 32) -> list[Arguments]:
    """Return up to `count` distinct argument tuples; the first is short and typical, fit for a prompt."""
    if task.family != "number":
        return inputs.candidate_inputs(task, rng, count)
    return distinct(partial(_numbers, task.source, rng), count)


def _numbers(source: Source, rng: Random, index: int) -> Arguments:
    if source == "upto":
        return (rng.randint(4, 8),) if index == 0 else (0,) if index == 1 else (rng.randint(1, 25),)
    if source == "between":
        start = rng.randint(1, 4) if index == 0 else rng.randint(-8, 12)
        return start, start + (rng.randint(3, 6) if index == 0 else -1 if index == 1 else rng.randint(0, 14))
    if index < 2:
        return (rng.randint(100, 9999) if index == 0 else rng.randint(1, 9),)
    return (rng.randint(1, 10 ** rng.randint(1, 8)),)


def boundary_inputs(task: Task) -> list[Arguments]:
    """Return argument tuples about the boundaries of a task; nothing is drawn."""
    if task.family != "number":
        return inputs.boundary_inputs(task)
    if task.source == "upto":
        return [(n,) for n in range(45)]
    if task.source == "between":
        return [(start, start + length) for start in range(-9, 12) for length in (-1, 0, 1, 2, 3, 5, 9)]
    return [(n,) for n in (*range(1, 100), *range(101, 1000, 9), *(111 * d for d in range(1, 10)))]
