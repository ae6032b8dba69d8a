"""How many held-out tasks compute the same function as a training task that is worded and coded otherwise.

The splits hold out combinations, not functions: "distinct values of x + 3" and "distinct values of -x" are
two combinations and one function. The share is measured on random inputs, so it errs upwards.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from xpflow.problems.micropy import SIZES, Split, combinations_of, dataset
from xpflow.problems.micropy.code import body, signature
from xpflow.problems.micropy.dataset import Shape
from xpflow.problems.micropy.grammar import CONSTANTS, Combination, Family, Task, constant_slots
from xpflow.problems.micropy.mutants import behaviour
from xpflow.problems.micropy.names import Names
from xpflow.problems.micropy.render import Rendering, draw_rendering

FAMILIES: tuple[Family, ...] = ("list", "text", "number")
DIGITS = [str(constant) for constant in CONSTANTS]


def pool(family: Family, helper: bool) -> list[tuple[Any, ...]]:
    """Return the inputs on which two tasks are compared."""
    rng = Random(f"{family}/{helper}")
    if family == "number":
        pairs = [(rng.randint(-15, 25), rng.randint(-15, 25)) for _ in range(60)]
        return pairs + [(a, a + d) for a in range(-9, 18) for d in (-1, 0, 1)]
    if family == "text":
        texts = ["".join(rng.choices("aeiouAEIbcdxzBCDKZ0379 -", k=rng.randint(0, 9))) for _ in range(100)]
        return [(t, rng.choice(t or "a")) if helper else (t,) for t in texts]
    lists = [[rng.randint(-12, 30) for _ in range(rng.randint(0, 7))] for _ in range(50)]
    lists += [[v] for v in range(-18, 36)]
    return [(values, rng.randint(2, 9)) if helper else (values,) for values in lists]


POOLS = {(family, helper): pool(family, helper) for family in FAMILIES for helper in (False, True)}


def tasks(family: Family, combination: Combination) -> Iterator[Task]:
    """Yield a combination with all its constants."""
    slots = constant_slots(family, combination)
    if family == "text":
        yield Task(family, combination, ("@",) * slots)
        return
    for constants in itertools.product(DIGITS, repeat=slots):
        yield Task(family, combination, constants)
    for place in range(slots if family == "list" else 0):
        for rest in itertools.product(DIGITS, repeat=slots - 1):
            yield Task(family, combination, (*rest[:place], "@", *rest[place:]))


def function_of(task: Task) -> tuple[Any, ...]:
    """Return what a task answers on its family's inputs."""
    arguments = {"list": ("xs", "n"), "text": ("s", "k"), "number": ("a", "b")}[task.family]
    if task.family != "number" and not task.has_helper:
        arguments = arguments[:1]
    names = Names("f", arguments, "x" if task.family == "list" else "c", "acc", "out", "r")
    code = f"{signature(names)}\n{body(task, names, 'comprehension', Random(0))}\n"
    return task.family, task.has_helper, repr(behaviour(code, POOLS[task.family, task.has_helper]))


@pytest.fixture(scope="module")
def trained() -> set[int]:
    """Return the functions of all training tasks, as hashes."""
    wanted = ((family, c) for family in FAMILIES for c in combinations_of(family, "train"))
    return {hash(function_of(task)) for family, c in wanted for task in tasks(family, c)}


@pytest.mark.parametrize("split", ["validation", "test"])
@pytest.mark.parametrize("shape", ["humaneval", "mbpp"])
def test_about_a_fifth_of_the_held_out_tasks_is_a_training_function_in_other_words(
    shape: Shape, split: Split, trained: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: dict[str, Task] = {}

    def record(task: Task, rng: Random) -> Rendering:
        drawn[task.key] = task
        return draw_rendering(task, rng)

    monkeypatch.setattr(dataset, "draw_rendering", record)
    dataset.load.__wrapped__(shape, split)
    assert len(drawn) == SIZES[shape, split]
    share = sum(hash(function_of(task)) in trained for task in drawn.values()) / len(drawn)
    print(f"micropy {shape} {split}: {share:.1%} compute what a training task computes")
    assert share <= 0.25
