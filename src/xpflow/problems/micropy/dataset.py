"""The fixed problem sets of MicroPy, and the endless stream of examples that micro models are trained on."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from random import Random

from xpflow.problems.micropy.entropy import entropy_bits
from xpflow.problems.micropy.functions import function_of, training_functions
from xpflow.problems.micropy.grammar import Family, Task, draw_task
from xpflow.problems.micropy.render import Rendering, draw_rendering
from xpflow.problems.micropy.splits import VERSION, Split, combinations_of
from xpflow.problems.micropy.world import Shape, World
from xpflow.problems.problem import Problem

_FAMILIES: tuple[Family, ...] = ("list", "list", "list", "text", "number")


def draw_training_task(rng: Random, split: Split) -> Task:
    """Draw a task of a split: three list tasks for each text task and each number task."""
    family = rng.choice(_FAMILIES)
    return draw_task(rng, family, rng.choice(combinations_of(family, split)))


def _draw(rng: Random, split: Split) -> Rendering[Task]:
    return draw_rendering(draw_training_task(rng, split), rng)


def _admits(rendering: Rendering[Task], split: Split) -> bool:
    """Whether a task is of the training split, or its function that of no training task."""
    return split == "train" or function_of(rendering.task) not in training_functions()


WORLD = World("micropy", "MicroPy", VERSION, _draw, _admits, entropy_bits)


@cache
def load(shape: Shape, split: Split) -> tuple[Problem, ...]:
    """Return the problems of a shape and split, always the same ones; no two of a set are one task.

    Held-out sets have no combination of a training task, and no function that a training task computes.

    Raises:
        DataError: the shape or split does not exist.
    """
    return WORLD.problems(shape, split)


def persona_problems(count: int, seed: int = 0) -> list[Problem]:
    """Return requests in persons' voices (`World.persona_problems`)."""
    return WORLD.persona_problems(count, seed)


def training_pairs(seed: int, split: Split = "train") -> Iterator[tuple[str, str]]:
    """Yield (user text, answer) pairs of one split without end (`World.training_pairs`)."""
    return WORLD.training_pairs(seed, split)
