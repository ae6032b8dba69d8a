"""The two published configurations of LLaDA-8B-Instruct in OpenCompass.

Source: ML-GSAI/LLaDA, EVAL.md and its OpenCompass examples llada_instruct_gen_humaneval_length512_block512_
logits (data set configuration humaneval_gen_8e312c) and llada_instruct_gen_mbpp_length256_block256_confidence
(mbpp_gen_830460). That configuration ends with an assistant turn `[BEGIN]`, which OpenCompass drops when it
builds the chat: the model starts from a bare assistant header. The chat template is that of the published
checkpoint (348 bytes).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from xpflow.problems.problem import Problem
from xpflow.protocols.mbpp_shots import HEAP_QUEUE_LARGEST, IS_NOT_PRIME, SIMILAR_ELEMENTS
from xpflow.protocols.protocol import ChatTemplate, Protocol, Recipe, Setting, Turn


def render(turns: Sequence[Turn]) -> str:
    """Return LLaDA's chat: every turn trimmed, and an assistant's turn opened whatever comes last."""
    parts = [f"{_header(turn.role)}{turn.content.strip()}<|eot_id|>" for turn in turns]
    return "".join(["<|startoftext|>", *parts, _header("assistant")])


def _header(role: str) -> str:
    return f"<|start_header_id|>{role}<|end_header_id|>\n\n"


TEMPLATE = ChatTemplate("llada", render, trims=True, ends=("<|endoftext|>", "<|eot_id|>"))
_OPENING = "You are an expert Python programmer, and here is your task: "


def _ask(text: str, tests: str) -> str:
    return f"{_OPENING}{text} Your code should pass these tests:\n\n {tests}\n"


def _reply(code: str) -> str:
    return f"[BEGIN]\n '{code}' \n[DONE] \n\n "


def _shots() -> tuple[Turn, ...]:
    """Return the three worked examples with the white space of the configuration.

    It differs from the data set's: the first has a space after its second assert but not after its first, the
    others after every one; the first example's code lost the space after `return (res)`.
    """
    first, second, third = SIMILAR_ELEMENTS, IS_NOT_PRIME, HEAP_QUEUE_LARGEST
    tests = (
        "{}\n{} \n{} ".format(*first.tests),
        "{} \n{} \n{} ".format(*second.tests),
        "{}\n{}\n{} ".format(*third.tests),  # the data set has the spaces of the first two
    )
    turns: list[Turn] = []
    for shot, shown in zip((first, second, third), tests, strict=True):
        turns += [Turn("user", _ask(shot.text, shown)), Turn("assistant", _reply(shot.code.rstrip(" ")))]
    return tuple(turns)


SHOT_TURNS = _shots()


def humaneval_turns(problem: Problem) -> tuple[Turn, ...]:
    """Return the one user turn of humaneval_gen_8e312c."""
    return (Turn("user", f"Complete the following python code:\n{problem.prompt}"),)


def mbpp_turns(problem: Problem) -> tuple[Turn, ...]:
    """Return three worked examples and the query of mbpp_gen_830460; the query's tests are as they stand."""
    tests = "\n".join(problem.tests[: problem.shown_tests])
    return (*SHOT_TURNS, Turn("user", _ask(problem.prompt, f"{tests}  ")))


def _recipes(
    both: Mapping[str, Setting], humaneval: Mapping[str, Setting], mbpp: Mapping[str, Setting]
) -> Mapping[str, Recipe]:
    return {
        "humaneval": Recipe(humaneval_turns, "opencompass-humaneval-v2", {**humaneval, **both}),
        "mbpp": Recipe(mbpp_turns, "opencompass-mbpp", {**mbpp, **both}),
    }


# block_length None is one block of N. generate.py takes its softmax in the dtype of the logits (bf16 as run;
# float64 before June 2025) and leaves the order of equals to torch.topk, which differs between devices.
_OFFICIAL = _recipes(
    {"block_length": None, "confidence_dtype": "native", "tie_break": "torch_topk"},
    {"gen_length": 512, "logits_eos_inf": True},
    {"gen_length": 256, "confidence_eos_eot_inf": "official"},
)
_FIRST = _recipes(
    {"block_length": 32, "confidence_dtype": "float64", "tie_break": "torch_topk"},
    {"gen_length": 512},
    {"gen_length": 512},
)

LLADA_OPENCOMPASS = Protocol(
    name="llada-opencompass",
    version=1,
    about="LLaDA-8B-Instruct as published: OpenCompass prompts, one block, an EOS option for each benchmark",
    source="ML-GSAI/LLaDA EVAL.md: HumanEval 77/164 = 46.95, MBPP 198/500 = 39.6",
    template=TEMPLATE,
    recipes=_OFFICIAL,
)
LLADA_V1 = Protocol(
    name="llada-v1",
    version=1,
    about="LLaDA-8B-Instruct as first published: the same prompts, blocks of 32, no EOS option",
    source="LLaDA paper v1, Table 8; EVAL.md of October 2025: HumanEval 80/164 = 48.78, MBPP 188/500 = 37.6",
    template=TEMPLATE,
    recipes=_FIRST,
)
