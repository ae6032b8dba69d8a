"""Extraction rules for answers that are compared as text, never run."""

from __future__ import annotations

from xpflow.grading.extraction.rule import Extraction
from xpflow.problems.problem import Problem

MARK = "####"


def final_answer(text: str, problem: Problem) -> str:
    """Return what stands behind the last mark `####` on its line (GSM8K's way), else the last line."""
    _, mark, behind = text.rpartition(MARK)
    lines = [line.strip() for line in (behind if mark else text).splitlines() if line.strip()]
    if not lines:
        return ""
    return lines[0] if mark else lines[-1]


def whole(text: str, problem: Problem) -> str:
    """Return the answer as it is."""
    return text


FINAL_ANSWER = Extraction("final-answer", f"what follows the last {MARK}, else the last line", final_answer)
WHOLE = Extraction("whole", "the whole answer", whole)
