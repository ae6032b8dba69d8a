"""No held-out task computes a function that a training task computes, in whatever words."""

from __future__ import annotations

from random import Random

import pytest

from xpflow.problems.micropy import SIZES, Split, dataset
from xpflow.problems.micropy.dataset import Shape
from xpflow.problems.micropy.functions import function_of, training_functions
from xpflow.problems.micropy.grammar import Task
from xpflow.problems.micropy.render import Rendering, draw_rendering


def test_two_wordings_of_one_function_are_recognised() -> None:
    shifted = Task("list", ("distinct", "add", "all"), ("3",))
    negated = Task("list", ("distinct", "neg", "all"), ())
    squared = Task("list", ("distinct", "square", "all"), ())
    assert function_of(shifted) == function_of(negated) != function_of(squared)


@pytest.mark.parametrize("split", ["validation", "test"])
@pytest.mark.parametrize("shape", ["humaneval", "mbpp"])
def test_no_held_out_problem_is_a_training_function_in_other_words(
    shape: Shape, split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: dict[str, Task] = {}

    def record(task: Task, rng: Random) -> Rendering:
        drawn[task.key] = task
        return draw_rendering(task, rng)

    monkeypatch.setattr(dataset, "draw_rendering", record)
    problems = dataset.load.__wrapped__(shape, split)
    assert len(problems) == SIZES[shape, split]
    kept = [task for task in drawn.values() if function_of(task) not in training_functions()]
    assert len(kept) == len(problems) < len(drawn)
