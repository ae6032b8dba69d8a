"""What an extraction rule is: from a model's answer to what is judged, a program or a final answer.

Pure functions of text, versioned by name: a name never changes its meaning, and a better rule gets a new one.
No rule parses or runs Python: an answer is hostile text, to be kept away from our interpreter's parser.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from xpflow.errors import GradingError
from xpflow.grading.extraction import EXTRACTIONS
from xpflow.problems.problem import Problem

FENCE = "`" * 3
FENCED = re.compile(FENCE + r"\w*\n(.*?)" + FENCE, re.DOTALL)


@dataclass(frozen=True, slots=True)
class Extraction:
    """A named rule: `take(answer, problem)` returns what is judged; `about` says it in one line."""

    name: str
    about: str
    take: Callable[[str, Problem], str]


def extract(text: str, problem: Problem, rule: str) -> str:
    """Return what `text` answers `problem` with, by a rule; a protocol names its rule.

    Raises:
        ConfigError: there is no such rule. GradingError: the rule fails on this answer, which is the rule's
            fault and says nothing about the answer.
    """
    take = EXTRACTIONS[rule].take
    try:
        return take(text, problem)
    except Exception as error:
        raise GradingError(
            f"extraction rule {rule!r} failed on an answer to {problem.task_id}: "
            f"{type(error).__name__}: {error}",
            hint="it says nothing about the answer: mend the rule, or name another one",
        ) from error
