"""LLaDA2.0-mini in its own chat template: the raw task, no examples, the answer's first code block.

The template is that of inclusionAI/LLaDA2.0-mini. Its report names neither prompts nor extraction. HumanEval:
the prompt as the user's turn, by which others measured 143/164 = 87.2. Deviation: MBPP's user turn is the
opening of the MBPP paper; nothing published says which text gave 81.50 (k/427) or 63.20 (k/500).
"""

from __future__ import annotations

from collections.abc import Sequence

from xpflow.problems.problem import Problem
from xpflow.protocols.protocol import ChatTemplate, Protocol, Recipe, Turn


def render(turns: Sequence[Turn]) -> str:
    """Return LLaDA2.0's chat: nothing trimmed, no start token, and a system turn even where none is given."""
    system = "".join(f"{turn.content}\n" for turn in turns if turn.role == "system")
    parts = [f"<role>SYSTEM</role>{system}detailed thinking off<|role_end|>"]
    names = {"user": "HUMAN", "assistant": "ASSISTANT"}
    parts += [
        f"<role>{names[turn.role]}</role>{turn.content}<|role_end|>"
        for turn in turns
        if turn.role != "system"
    ]
    return "".join([*parts, "<role>ASSISTANT</role>"])


TEMPLATE = ChatTemplate("llada2", render, trims=False, ends=("<|endoftext|>", "<|role_end|>"))


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
    template=TEMPLATE,
    cut_at_end=True,
    recipes={
        "humaneval": Recipe(_humaneval, "first-block-v1", {"gen_length": 512}),
        "mbpp": Recipe(_mbpp, "first-block-v1", {"gen_length": 256}),
    },
    zero_shot=True,
)
