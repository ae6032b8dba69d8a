"""OpenCompass's two extraction rules, as they are: for comparison with published numbers."""

from __future__ import annotations

import re

from xpflow.grading.extraction.rule import FENCE, FENCED, Extraction
from xpflow.problems.problem import Problem


def opencompass_humaneval_v2(text: str, problem: Problem) -> str:
    """OpenCompass's "humaneval v2": prompt, then first fenced block, else all, without leading white space.

    A body-only answer loses its first indentation by this rule; it is kept as it is for comparison with
    published numbers. Source: opencompass/datasets/humaneval.py (humaneval_postprocess_v2).
    """
    block = FENCED.search(text)
    code = (block[1] if block else text).lstrip()
    return problem.prompt + code


def opencompass_mbpp(text: str, problem: Problem) -> str:
    """OpenCompass's MBPP rule: the first of twenty patterns around [BEGIN], [DONE] and fences, then trimming.

    Source: opencompass/datasets/mbpp.py (MBPPEvaluator). Deviation: upstream gives up matching after 10 s;
    these patterns are linear or quadratic on answers of the length that a model gives.
    """
    for pattern in _MBPP_PATTERNS:
        found = pattern.search(text)
        if found:
            text = found[1]
            break
    text = _before_done(text.split(FENCE)[0])
    text = text.replace("\\_", "_").strip()
    return text.removeprefix("'").removesuffix("'")


def _mbpp_patterns() -> list[re.Pattern[str]]:
    """Patterns 1-8 quote the answer, 9-12 do not, 13-17 are fences, 18-20 lack an end or a beginning.

    Written so that a long answer costs linear time: white space before an end is left to the final strip, and
    what may start anywhere is anchored where that gives the same match.
    """
    begins, dones = (r"\[BEGIN\]", "BEGIN"), (r"\[DONE\]", "DONE")
    closes = (r"'\s*", "")
    sources = [rf"{begin}\s*'(.*){close}{done}" for close in closes for done in dones for begin in begins]
    sources += [rf"{begin}\s*(.*){done}" for done in dones for begin in begins]
    sources += [rf"{FENCE}python\s*(.*){FENCE}", rf"{FENCE}\s*(.*){FENCE}"]
    sources += [rf"{FENCE}python\s*(.*)", rf"{FENCE}\s*(.*)", rf"\A(.*){FENCE}"]
    sources += [r"\[BEGIN\]\s*'(.*)", r"\[BEGIN\](.*)", r"\A[^']*'(.*)'\s*\[DONE\]"]
    return [re.compile(source, re.DOTALL) for source in sources]


_MBPP_PATTERNS = _mbpp_patterns()


def _before_done(text: str) -> str:
    """Cut at the first DONE, with the bracket, white space and quote before it."""
    before, done, _ = text.partition("DONE")
    return before.removesuffix("[").rstrip().removesuffix("'") if done else text


HUMANEVAL_V2 = Extraction(
    "opencompass-humaneval-v2", "OpenCompass: the prompt, then the first code block", opencompass_humaneval_v2
)
MBPP = Extraction("opencompass-mbpp", "OpenCompass: [BEGIN], [DONE] and fences", opencompass_mbpp)
