"""LLaDA2.0-mini in its own chat template: the raw task, no examples, the answer's first code block.

Its report names neither prompts nor extraction. HumanEval: the prompt as the user's turn, by which others
measured 143/164 = 87.2. Deviation: MBPP's user turn is the opening of the MBPP paper; nothing published says
which text gave 81.50 (k/427) or 63.20 (k/500).
"""

from __future__ import annotations

from xpflow.problems.problem import Problem
from xpflow.protocols.protocol import Protocol, Turn, Way


def _humaneval(problem: Problem) -> tuple[Turn, ...]:
    return (Turn("user", problem.prompt),)


def _mbpp(problem: Problem) -> tuple[Turn, ...]:
    tests = "\n".join(problem.tests[: problem.shown_tests])
    opening = "You are an expert Python programmer, and here is your task:"
    return (Turn("user", f"{opening} {problem.prompt} Your code should pass these tests:\n\n{tests}"),)


LLADA2_CHAT = Protocol(
    name="llada2-chat",
    version=1,
    about="LLaDA2.0-mini: the raw task in its chat template, zero-shot, answers end at EOS or role end",
    source="inclusionAI/LLaDA2.0-mini's chat template; 143/164 = 87.2 by others with this prompt",
    template="llada2",
    cut_at_end=True,
    humaneval=Way(_humaneval, "first-block-v1", {"gen_length": 512}),
    mbpp=Way(_mbpp, "first-block-v1", {"gen_length": 256}),
)
