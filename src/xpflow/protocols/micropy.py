"""The protocol of the micro models: the bare task in the model's own chat template."""

from __future__ import annotations

from xpflow.problems.problem import Problem
from xpflow.protocols.protocol import Protocol, Recipe, asked


def instruction(problem: Problem) -> str:
    """Return the user's turn: MicroPy's tasks bare, as in training; others as their shape words them."""
    if not problem.source.startswith("micropy"):
        return problem.kind.instruction(problem)
    if problem.kind.continues:
        return problem.prompt.strip()
    return "\n".join((problem.prompt, *problem.tests[: problem.shown_tests]))


RECIPE = Recipe(asked(instruction), extraction="micropy-v1")
MICROPY = Protocol(
    name="micropy",
    version=1,
    about="MicroPy: the bare task, as the micro models were trained on it; fences optional in the answer",
    source="xpflow",
    recipes={"humaneval": RECIPE, "mbpp": RECIPE},
    bare=instruction,
    zero_shot=True,
)
