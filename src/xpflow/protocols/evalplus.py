"""EvalPlus's chat prompts: a self-contained script in a code block that the prompt opens.

Source: evalplus/evalplus, codegen.py, provider/utility.py and provider/hf.py. Deviation: EvalPlus then parses
the script and drops what the entry point does not need; here nothing parses an answer, so top-level code that
follows the function runs too.
"""

from __future__ import annotations

from collections.abc import Callable

from xpflow.problems.problem import Problem
from xpflow.protocols.protocol import Protocol, Recipe, Turn

_FENCE = "`" * 3


def _ask(task: str) -> tuple[Turn, ...]:
    asked = (
        "Please provide a self-contained Python script that solves the following problem in a markdown code "
        "block:"
    )
    return (Turn("user", f"{asked}\n{_FENCE}\n{task.strip()}\n{_FENCE}\n"),)


def _mbpp(problem: Problem) -> tuple[Turn, ...]:
    """MBPP+ shows a task as a docstring with its first assert."""
    lines = ('"""', problem.prompt, *problem.tests[: min(problem.shown_tests, 1)], '"""')
    return _ask("\n".join(lines))


def _prefix(problem: Problem) -> str:
    said = (
        "Below is a Python script with a self-contained function that solves the problem and passes "
        "corresponding tests:"
    )
    return f"{said}\n{_FENCE}python\n"


_STOPS = ("\nif __name__", "\ndef main(", "\nprint(", f"\n{_FENCE}\n")


def _recipe(turns: Callable[[Problem], tuple[Turn, ...]]) -> Recipe:
    return Recipe(turns, "evalplus-chat", prefix=_prefix, keep_prefix_end=True, stops=_STOPS)


EVALPLUS_CHAT = Protocol(
    name="evalplus-chat",
    version=1,
    about="EvalPlus's chat prompt: a script in a code block that the prompt opens",
    source="evalplus/evalplus 0.3",
    cut_at_end=True,
    recipes={"humaneval": _recipe(lambda problem: _ask(problem.prompt)), "mbpp": _recipe(_mbpp)},
    zero_shot=True,
)
