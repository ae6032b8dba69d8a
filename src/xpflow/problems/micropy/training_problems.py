"""Prompts of MicroPy's training split in the shapes of both benchmarks: as many as distillation asks for.

Covers: prompts that a model is to answer itself. Does not cover: grading, since they have no tests but the
assertion that an MBPP-shaped prompt shows.
"""

from __future__ import annotations

from random import Random

from xpflow.problems.micropy.dataset import draw_training_task
from xpflow.problems.micropy.grammar import Task
from xpflow.problems.micropy.render import (
    Rendering,
    draw_rendering,
    humaneval_prompt,
    mbpp_prompt,
    shown_assertion,
)
from xpflow.problems.micropy.splits import VERSION
from xpflow.problems.problem import Problem

SOURCE = "micropy-training"


def training_problems(count: int, seed: int = 0) -> list[Problem]:
    """Return the first `count` problems of a seed, no two with one prompt; the two shapes alternate."""
    rng = Random(f"{VERSION}/training/{seed}")
    found: dict[str, Problem] = {}
    while len(found) < count:
        rendering = draw_rendering(draw_training_task(rng, "train"), rng)
        task_id = f"MicroPy-Training/{len(found)}"
        problem = _describe(task_id, rendering, rng) if len(found) % 2 else _complete(task_id, rendering)
        found.setdefault("\n".join((problem.prompt, *problem.tests)), problem)
    return list(found.values())


def _complete(task_id: str, rendering: Rendering[Task]) -> Problem:
    return Problem(
        task_id=task_id,
        prompt=humaneval_prompt(rendering),
        entry_point=rendering.names.function,
        tests=(),
        canonical_solution=rendering.body + "\n",
        source=SOURCE,
        split="train",
        shape="humaneval",
    )


def _describe(task_id: str, rendering: Rendering[Task], rng: Random) -> Problem:
    return Problem(
        task_id=task_id,
        prompt=mbpp_prompt(rendering),
        entry_point=rendering.names.function,
        tests=(shown_assertion(rendering, rng),),
        canonical_solution=rendering.code,
        source=SOURCE,
        split="train",
        shape="mbpp",
    )
