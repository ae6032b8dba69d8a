"""The extraction rules of lm-evaluation-harness and EvalPlus, whose prompts open a code block."""

from __future__ import annotations

import re

from xpflow.grading.extraction.rule import FENCE, Extraction
from xpflow.problems.problem import Problem

_LANGUAGE = re.compile(r"\w*\n?")


def lm_eval_humaneval_instruct(text: str, problem: Problem) -> str:
    """lm-eval's humaneval_instruct: prompt, then the answer before its first fence.

    Source: lm_eval/tasks/humaneval/utils.py (build_predictions_instruct).
    """
    return problem.prompt + text.partition(FENCE)[0]


def lm_eval_mbpp_instruct(text: str, problem: Problem) -> str:
    """lm-eval's mbpp_instruct: the first block, the prompt's open fence put back before the answer.

    An answer without a closing fence is no program at all. A word right behind the fence counts as the
    block's language, as upstream: `def` too, where an answer begins with it. Source:
    lm_eval/tasks/mbpp/utils.py (extract_code_blocks), whose second try is empty whenever the first is.
    """
    start = _LANGUAGE.match(text)
    body = start.end() if start else 0
    end = text.find(FENCE, body)
    return "" if end < 0 else text[body:end].removesuffix("\n")


def evalplus_chat(text: str, problem: Problem) -> str:
    """EvalPlus: the answer up to the end of the block that its prompt opened; tabs are four spaces.

    Source: evalplus/provider/hf.py. Deviation: without EvalPlus's `sanitize`, which parses the program and
    keeps what the entry point needs.
    """
    return text.partition(FENCE)[0].replace("\t", "    ")


LM_EVAL_HUMANEVAL = Extraction(
    "lm-eval-humaneval-instruct", "lm-eval: the prompt, then all before a fence", lm_eval_humaneval_instruct
)
LM_EVAL_MBPP = Extraction(
    "lm-eval-mbpp-instruct", "lm-eval: the block that the prompt opened", lm_eval_mbpp_instruct
)
EVALPLUS_CHAT = Extraction(
    "evalplus-chat", "EvalPlus: all before the end of the block that the prompt opened", evalplus_chat
)
