"""What an extraction rule is: from a model's answer to what is judged, a program or a final answer.

Pure functions of text, versioned by name: a name never changes its meaning, and a better rule gets a new one.
No rule parses or runs Python: an answer is hostile text, to be kept away from our interpreter's parser.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

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
        ConfigError: there is no such rule.
    """
    return EXTRACTIONS[rule].take(text, problem)
