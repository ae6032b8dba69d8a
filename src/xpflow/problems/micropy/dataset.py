"""The fixed problem sets of MicroPy, and the endless stream of examples that micro models are trained on."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from random import Random
from typing import Literal

from xpflow.errors import DataError
from xpflow.problems.micropy.functions import function_of, training_functions
from xpflow.problems.micropy.grammar import Family, Task, draw_task
from xpflow.problems.micropy.render import (
    Rendering,
    draw_rendering,
    humaneval_problem,
    humaneval_prompt,
    mbpp_problem,
    mbpp_prompt,
    persona_docstring,
    persona_prompt,
    shown_assertion,
)
from xpflow.problems.micropy.splits import VERSION, Split, combinations_of
from xpflow.problems.problem import Problem

Shape = Literal["humaneval", "mbpp"]
SIZES: dict[tuple[Shape, Split], int] = {
    ("humaneval", "test"): 500,
    ("mbpp", "test"): 500,
    ("humaneval", "validation"): 200,
    ("mbpp", "validation"): 200,
    ("mbpp", "train"): 374,
    ("humaneval", "train"): 374,
}
_FAMILIES: tuple[Family, ...] = ("list", "list", "list", "text", "number")


def draw_training_task(rng: Random, split: Split) -> Task:
    """Draw a task of a split: three list tasks for each text task and each number task."""
    family = rng.choice(_FAMILIES)
    return draw_task(rng, family, rng.choice(combinations_of(family, split)))


@cache
def load(shape: Shape, split: Split) -> tuple[Problem, ...]:
    """Return the problems of a shape and split, always the same ones; no two of a set are one task.

    Held-out sets have no combination of a training task, and no function that a training task computes.

    Raises:
        DataError: the shape or split does not exist.
    """
    size = SIZES.get((shape, split))
    if size is None:
        raise DataError(
            f"MicroPy has no {shape} problems in split {split!r}", hint="splits: train, validation, test"
        )
    build = humaneval_problem if shape == "humaneval" else mbpp_problem
    problems: dict[str, Problem] = {}
    rng = Random(f"{VERSION}/{shape}/{split}")
    while len(problems) < size:
        rendering = draw_rendering(draw_training_task(rng, split), rng)
        if split != "train" and function_of(rendering.task) in training_functions():
            continue
        if rendering.task.key not in problems:
            task_id = f"MicroPy-{'HE' if shape == 'humaneval' else 'MBPP'}/{split}/{len(problems)}"
            problems[rendering.task.key] = build(task_id, rendering, split, rng)
    return tuple(problems.values())


def persona_problems(count: int, seed: int = 0) -> list[Problem]:
    """Return requests in persons' voices over training combinations, without tests, for self-alignment.

    They alternate between a plain request, whose answer is a function, and a signature with a docstring,
    whose answer is a body: what a model is aligned on has to cover the shapes that it is asked in.
    """
    rng = Random(f"{VERSION}/personas/{seed}")
    found: dict[str, Problem] = {}
    while len(found) < count:
        rendering = draw_rendering(draw_training_task(rng, "train"), rng)
        as_body = len(found) % 2 == 1
        prompt = persona_docstring(rendering, rng) if as_body else persona_prompt(rendering, rng)
        if prompt not in found:
            found[prompt] = Problem(
                task_id=f"MicroPy-Persona/{len(found)}",
                prompt=prompt,
                entry_point=rendering.names.function,
                tests=(),
                canonical_solution=rendering.body + "\n" if as_body else rendering.code,
                source="micropy-personas",
                split="train",
                shape="humaneval" if as_body else "mbpp",
                shown_tests=int(as_body),  # HumanEval's schema has no such field
            )
    return list(found.values())


def training_pairs(seed: int, split: Split = "train") -> Iterator[tuple[str, str]]:
    """Yield (user text, answer) pairs of one split without end.

    40 % are HumanEval-like, 40 % MBPP-like and 20 % requests in a person's voice.
    """
    rng = Random(f"{VERSION}/stream/{split}/{seed}")
    while True:
        rendering = draw_rendering(draw_training_task(rng, split), rng)
        yield training_pair(rendering, rng)


def training_pair(rendering: Rendering, rng: Random) -> tuple[str, str]:
    """Return one (user text, answer) pair in a random shape; the answer has no trailing newline."""
    shape = rng.random()
    if shape < 0.4:
        return humaneval_prompt(rendering).strip(), rendering.body
    if shape < 0.8:
        return f"{mbpp_prompt(rendering)}\n{shown_assertion(rendering, rng)}", rendering.code.rstrip("\n")
    return persona_prompt(rendering, rng), rendering.code.rstrip("\n")
