"""Which function a task computes: tasks that are worded and coded differently can be one function.

"The distinct values of x + 3" and "of -x" are two combinations and one function. Held-out sets leave out
every task whose function some training task computes too. Equality is judged on fixed random inputs, so it
errs towards "same".
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from functools import cache
from random import Random
from typing import Any

from xpflow.problems.micropy.code import body, signature
from xpflow.problems.micropy.grammar import CONSTANTS, Combination, Family, Task, constant_slots
from xpflow.problems.micropy.mutants import behaviour
from xpflow.problems.micropy.names import Names
from xpflow.problems.micropy.splits import combinations_of

FAMILIES: tuple[Family, ...] = ("list", "text", "number")
_DIGITS = tuple(str(constant) for constant in CONSTANTS)
_ARGUMENTS = {"list": ("xs", "n"), "text": ("s", "k"), "number": ("a", "b")}


def function_of(task: Task) -> bytes:
    """Return a digest of what a task answers on the fixed inputs of its family and number of arguments."""
    arguments: tuple[str, ...] = _ARGUMENTS[task.family]
    if task.family != "number" and not task.has_helper:
        arguments = arguments[:1]
    names = Names("f", arguments, "x" if task.family == "list" else "c", "acc", "out", "r")
    code = f"{signature(names)}\n{body(task, names, 'comprehension', Random(0))}\n"
    answers = repr((task.family, task.has_helper, behaviour(code, inputs_of(task.family, task.has_helper))))
    return hashlib.blake2b(answers.encode(), digest_size=16).digest()


@cache
def training_functions() -> frozenset[bytes]:
    """Return the functions of all training tasks, with all their constants."""
    return frozenset(
        function_of(task)
        for family in FAMILIES
        for combination in combinations_of(family, "train")
        for task in tasks_of(family, combination)
    )


def tasks_of(family: Family, combination: Combination) -> Iterator[Task]:
    """Yield a combination with all its constants and places of the helper argument."""
    slots = constant_slots(family, combination)
    if family == "text":
        yield Task(family, combination, ("@",) * slots)
        return
    for constants in itertools.product(_DIGITS, repeat=slots):
        yield Task(family, combination, constants)
    for place in range(slots if family == "list" else 0):
        for rest in itertools.product(_DIGITS, repeat=slots - 1):
            yield Task(family, combination, (*rest[:place], "@", *rest[place:]))


@cache
def inputs_of(family: Family, helper: bool) -> list[tuple[Any, ...]]:
    """Return the inputs on which tasks of a family are compared."""
    rng = Random(f"{family}/{helper}")
    if family == "number":
        pairs = [(rng.randint(-15, 25), rng.randint(-15, 25)) for _ in range(40)]
        return pairs + [(a, a + d) for a in range(-9, 18) for d in (-1, 0, 1)]
    if family == "text":
        texts = ["".join(rng.choices("aeiouAEIbcdxzBCDKZ0379 -", k=rng.randint(0, 9))) for _ in range(100)]
        return [(t, rng.choice(t or "a")) if helper else (t,) for t in texts]
    lists = [[rng.randint(-12, 30) for _ in range(rng.randint(0, 7))] for _ in range(40)]
    lists += [[v] for v in range(-18, 36, 2)]
    return [(values, rng.randint(2, 9)) if helper else (values,) for values in lists]
