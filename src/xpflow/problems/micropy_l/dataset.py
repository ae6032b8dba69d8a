"""The fixed problem sets of MicroPy-L and its endless stream of examples."""

from __future__ import annotations

from functools import cache, partial
from random import Random

from xpflow.problems.micropy.render import Rendering
from xpflow.problems.micropy.splits import Split
from xpflow.problems.micropy.world import Shape, World
from xpflow.problems.micropy_l.code import draw_template, entropy_bits
from xpflow.problems.micropy_l.grammar import Task, draw_task
from xpflow.problems.micropy_l.inputs import boundary_inputs, candidate_inputs
from xpflow.problems.micropy_l.names import draw_names, fill
from xpflow.problems.micropy_l.semantics import VERSION, answers, is_sensible, rivals, split_of
from xpflow.problems.micropy_l.words import describe
from xpflow.problems.problem import Problem

TESTS = 20  # solutions are of many structures, so no single one's mutants say which inputs are enough


def draw_split_task(rng: Random, split: Split) -> Task:
    """Draw a task of a split in which every part matters."""
    while True:
        task = draw_task(rng)
        if split_of(task) == split and is_sensible(task):
            return task


def draw_rendering(task: Task, rng: Random) -> Rendering[Task]:
    """Word and solve a task with names, wording and program drawn from `rng`."""
    names = draw_names(rng, task)
    sentence = describe(task, names, rng)
    return Rendering(
        task=task,
        names=names,
        sentence=sentence,
        body=fill(draw_template(task, names, rng), names.arguments, rng),
        source=WORLD.name,
        candidates=partial(candidate_inputs, task),
        boundaries=partial(boundary_inputs, task),
        rivals=lambda: [partial(answers, rival) for rival in rivals(task)],
        tests=TESTS,
    )


def _draw(rng: Random, split: Split) -> Rendering[Task]:
    return draw_rendering(draw_split_task(rng, split), rng)


def _admits(rendering: Rendering[Task], split: Split) -> bool:
    """Every task of a split may be in its sets: `split_of` keeps functions apart already."""
    return True


WORLD = World("micropy-l", "MicroPy-L", VERSION, _draw, _admits, entropy_bits)


@cache
def load(shape: Shape, split: Split) -> tuple[Problem, ...]:
    """Return the problems of a shape and split, always the same ones (`World.problems`)."""
    return WORLD.problems(shape, split)
