"""The protocol of the micro models: the bare task in the model's own chat template."""

from __future__ import annotations

from xpflow.problems.instruction import instruction
from xpflow.problems.problem import Problem
from xpflow.protocols.protocol import Protocol, Turn, Way


def _turns(problem: Problem) -> tuple[Turn, ...]:
    return (Turn("user", instruction(problem)),)


MICROPY = Protocol(
    name="micropy",
    version=1,
    about="MicroPy: the bare task, as the micro models were trained on it; fences optional in the answer",
    source="xpflow",
    humaneval=Way(_turns, extraction="micropy-v1"),
    mbpp=Way(_turns, extraction="micropy-v1"),
    bare=instruction,
)
