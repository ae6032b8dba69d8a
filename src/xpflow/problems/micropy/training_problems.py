"""Prompts of MicroPy's training split in the shapes of both benchmarks: as many as distillation asks for.

Covers: prompts that a model is to answer itself, and tests of those whose answers are graded. Problems come
without tests but for the assertion that an MBPP-shaped prompt shows: to choose the others takes thirty times
as long. Tests are drawn apart from the prompts, which are the same with and without them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from xpflow.errors import DataError
from xpflow.problems.micropy.dataset import draw_training_task
from xpflow.problems.micropy.grammar import Task
from xpflow.problems.micropy.render import (
    Rendering,
    draw_rendering,
    humaneval_problem,
    humaneval_prompt,
    mbpp_problem,
    mbpp_prompt,
    shown_assertion,
)
from xpflow.problems.micropy.splits import VERSION
from xpflow.problems.problem import Problem

SOURCE, TASKS = "micropy-training", "MicroPy-Training/"
Drawn = tuple[Problem, Rendering[Task]]


def training_problems(count: int, seed: int = 0) -> list[Problem]:
    """Return the first `count` problems of a seed, no two with one prompt; the two shapes alternate."""
    return [problem for problem, _ in _drawn(count, seed)]


def with_tests(problems: Sequence[Problem], seed: int = 0) -> list[Problem]:
    """Return some problems of a seed with all of their tests, in the order given.

    Prompts do not change: what an MBPP-shaped one shows stays the first of its tests. Takes about 3 ms for a
    problem.

    Raises:
        DataError: a problem is none of them.
    """
    drawn = _drawn(1 + max((_number(problem) for problem in problems), default=-1), seed)
    return [_tested(problem, *drawn[_number(problem)], seed) for problem in problems]


def _drawn(count: int, seed: int) -> list[Drawn]:
    rng = Random(f"{VERSION}/training/{seed}")
    found: dict[str, Drawn] = {}
    while len(found) < count:
        rendering = draw_rendering(draw_training_task(rng, "train"), rng)
        task_id = f"{TASKS}{len(found)}"
        problem = _describe(task_id, rendering, rng) if len(found) % 2 else _complete(task_id, rendering)
        found.setdefault("\n".join((problem.prompt, *problem.tests)), (problem, rendering))
    return list(found.values())


def _number(problem: Problem) -> int:
    """Return the place of a problem in its stream; 0 for one of elsewhere, which is not the one there."""
    place = problem.task_id.removeprefix(TASKS)
    return int(place) if place.isdecimal() else 0


def _tested(problem: Problem, drawn: Problem, rendering: Rendering[Task], seed: int) -> Problem:
    if problem != drawn:
        raise DataError(f"{problem.task_id} is no prompt of {SOURCE}", hint="were they made by this version?")
    build = humaneval_problem if problem.shape == "humaneval" else mbpp_problem
    rng = Random(f"{VERSION}/training/{seed}/tests/{problem.task_id}")
    made = build(problem.task_id, rendering, problem.split, rng)
    return replace(problem, tests=tuple(dict.fromkeys((*problem.tests, *made.tests))))


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
