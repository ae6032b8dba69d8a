"""HumanEval's shape: a signature with a docstring, which the answer continues.

The one test is code that defines `check(candidate)`. The canonical solution is the indented body.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xpflow.problems.problem import Problem
from xpflow.problems.shape import Fields, Shape


def instruction(problem: Problem) -> str:
    """Return the wording of OpenCompass's LLaDA configuration humaneval_gen."""
    return f"Complete the following python code:\n{problem.prompt}"


def from_row(row: Mapping[str, Any], where: str) -> Problem:
    """Read a row in HumanEval's own schema."""
    fields = Fields(row, where)
    test = fields.text("test")
    return Problem(
        task_id=fields.task_id(),
        prompt=fields.text("prompt"),
        entry_point=fields.text("entry_point"),
        tests=(test,) if test else (),
        canonical_solution=fields.text("canonical_solution", ""),
        source=fields.text("source", "file"),
        split=fields.text("split", "test"),
        shape=SHAPE.name,
    )


def to_row(problem: Problem) -> dict[str, Any]:
    """Return a row in HumanEval's own schema."""
    return {
        "task_id": problem.task_id,
        "prompt": problem.prompt,
        "entry_point": problem.entry_point,
        "canonical_solution": problem.canonical_solution,
        "test": "\n".join(problem.tests),
    }


CHECK = "def check(candidate):\n    assert candidate() == 1\n"
SHAPE = Shape(
    name="humaneval",
    title="HumanEval",
    about="the answer continues a function, which passes `check` in a jail",
    instruction=instruction,
    extraction="first-block-v1",
    from_row=from_row,
    to_row=to_row,
    example=Problem(
        "probe/0", "def one():\n", "one", (CHECK,), "    return 1\n", "probe", "test", "humaneval"
    ),
    continues=True,
)
