"""lm-evaluation-harness's chat tasks: humaneval_instruct (version 4.0) and mbpp_instruct (version 1.0).

Source: EleutherAI/lm-evaluation-harness, lm_eval/tasks/humaneval/humaneval_instruct.yaml and tasks/mbpp/
mbpp_instruct.yaml with utils.py; chat template applied, few-shot examples as turns. The harness puts a space
between its answer prefix and a worked example's code, and hands its prefix over as an unfinished turn, whose
end a trimming template (LLaDA's) takes off.
"""

from __future__ import annotations

from xpflow.problems.problem import Problem
from xpflow.protocols.mbpp_shots import SHOTS
from xpflow.protocols.protocol import Protocol, Recipe, Turn

_FENCE = "`" * 3
_PREFIX = f"\n{_FENCE}python\n"


def _humaneval(problem: Problem) -> tuple[Turn, ...]:
    asked = "Write a solution to the following problem and make sure that it passes the tests:"
    return (Turn("user", f"{asked}\n{_FENCE}python\n{problem.prompt}\n{_FENCE}\n"),)


def _humaneval_prefix(problem: Problem) -> str:
    return f"Here is the completed function:\n{_FENCE}python\n{problem.prompt}\n"


def _ask(text: str, tests: tuple[str, ...]) -> Turn:
    task = f"You are an expert Python programmer, and here is your task:\n{text}"
    return Turn("user", "\n".join((task, "Your code should pass these tests:", *tests[:3])))


def _mbpp(problem: Problem) -> tuple[Turn, ...]:
    turns: list[Turn] = []
    for shot in SHOTS:
        turns.append(_ask(shot.text, shot.tests))
        turns.append(Turn("assistant", f"{_PREFIX} {shot.code}\n{_FENCE}"))
    return (*turns, _ask(problem.prompt, problem.tests[: problem.shown_tests]))


# The harness fixes no decoding: no settings here. In one block without an EOS option LLaDA's answers collapse
# into EOS, so a study gives its model `block_length: 32`, as the published ports do, or an EOS option.
LM_EVAL_INSTRUCT = Protocol(
    name="lm-eval-instruct",
    version=1,
    about="lm-eval's humaneval_instruct and mbpp_instruct: an open code block as the answer's beginning",
    source="EleutherAI/lm-evaluation-harness; LLaDA's ports of it: 47.0 and 40.0 with EOS options",
    cut_at_end=True,
    recipes={
        "humaneval": Recipe(
            _humaneval,
            "lm-eval-humaneval-instruct",
            prefix=_humaneval_prefix,
            stops=("\nclass", "\ndef", "\n#", "\nif", "\nprint"),
        ),
        "mbpp": Recipe(_mbpp, "lm-eval-mbpp-instruct", prefix=lambda problem: _PREFIX),
    },
)
