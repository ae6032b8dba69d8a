"""Line ends and letters that nobody sees, fences of two kinds, half a fence: programs are found."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.answers import FULL, HE, MBPP, RULE
from xpflow.grading.extraction.rule import extract
from xpflow.problems import Problem

BLOCK = f"```python\n{FULL}```\nDone."
LINE_ENDS = {"vertical tab": "\v", "next line": "\x85", "line separator": "\u2028", "paragraph": "\u2029"}
UNSEEN = {"soft hyphen": "\xad", "non-joiner": "\u200c", "left to right": "\u200e", "isolate": "\u2066"}
SPEAKS = "def add(a, b):\n    # a ``` in a comment\n    return a + b\n"
WRONG = "```python\ndef add(a, b):\n    return a - b\n```\n"

ANSWERS = {
    **{f"{name} for line ends": BLOCK.replace("\n", end) for name, end in LINE_ENDS.items()},
    **{f"{name} among line ends": f"```python\n{end}{FULL}```" for name, end in LINE_ENDS.items()},
    **{name: f"{one}```python\n{one}{FULL}```" for name, one in UNSEEN.items()},
    "ogham blanks": "```python\ndef add(a, b):\n\u1680\u1680return a + b\n```",
    "a form feed": f"\f```python\n\f{FULL}\f```\nDone.",
    "two byte-order marks": f"\ufeff```python\n\ufeff{FULL}```",
    "tildes closed by ticks": f"~~~python\n{FULL}```\nThis adds two numbers.",
    "ticks closed by tildes": f"```python\n{FULL}~~~\nThis adds two numbers.",
    "a closer too short": f"````python\n{FULL}```\nThis adds two numbers.",
    "half a closer": f"```python\n{FULL}``",
    "half a closer of tildes": f"~~~python\n{FULL}~",
    "a model's token for a closer": f"```python\n{FULL}<|im_end|>\n",
    "a document": f"````markdown\n# Solution\n\n```python\n{FULL}```\n````\n",
    "a document in tildes": f"~~~md\nHere it is.\n```\n{FULL}```\n~~~",
    "a fence in a comment": f"```python\n{SPEAKS}```\n",
    "a word of prose": f"Sure!\n\n{FULL}",
    "what comes next is wrong": f"{BLOCK.removesuffix('Done.')}This is wrong:\n{WRONG}",
}


@pytest.mark.parametrize("problem", [HE, MBPP], ids=["humaneval", "mbpp"])
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
def test_the_program_is_found_and_works(problem: Problem, answer: str) -> None:
    space: dict[str, Any] = {}
    exec(extract(answer, problem, RULE), space)
    assert space["add"](1, 2) == 3


def test_line_ends_of_unicode_in_a_string_of_the_program_stay() -> None:
    code = 'def add(a, b):\n    return len("\u2028\x85\v\xad") + a + b - 4\n'
    assert extract(f"```python\n{code}```", MBPP, RULE) == code
