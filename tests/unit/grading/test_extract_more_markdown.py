"""More ways in which models write programs: the rule for Markdown finds them, and the program works."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fakes.answers import FULL, HE, MBPP, RULE
from xpflow.grading.extraction.rule import extract
from xpflow.problems import Problem

BARE = replace(HE, prompt="def add(a, b):\n")
TYPED = ">>> def add(a, b):\n...     return a + b\n...\n>>> add(1, 2)\n3\n"
FLAT = f'def add(a, b):\n    """Add.\n\n```python\nadd(1, 2)\n```\n"""\n{FULL.partition(chr(10))[2]}'


def block(code: str, language: str = "python") -> str:
    return f"```{language}\n{code}```\n"


ANSWERS = {
    "html": f'<pre><code class="language-python">\n{FULL}</code></pre>\nDone.',
    "html with entities": f"<code>\n{FULL.replace('return a', 'return 0 &lt; 1 and a')}</code>",
    "a session": block(TYPED),
    "a session of its own language": block(TYPED, "pycon"),
    "what it needs comes later": block("def add(a, b):\n    return plus(a, b)\n")
    + block("def plus(a, b):\n    return a + b\n"),
    "an import comes later": block("def add(a, b):\n    return math.fsum([a, b])\n") + block("import math\n"),
    "a decorator comes later": block("@cache\n" + FULL) + block("from functools import cache\n"),
    "then an import of it": block(FULL) + "Usage:\n" + block("from solution import add\nprint(add(1, 2))\n"),
    "then tests that import it": block(FULL) + block("import unittest\nfrom x import add\nunittest.main()\n"),
    "an example in a flat docstring": block(FLAT),
    "star import": block("from math import *\n") + block("def add(a, b):\n    return floor(a + b)\n"),
    "import over lines": block("from math import (\n    floor,  # down\n    ceil,\n)\n")
    + block("def add(a, b):\n    return floor(a + b)\n"),
    "dotted import": block("import os.path\n")
    + block("def add(a, b):\n    return a + b if os.path else 0\n"),
    "several names": block("X, Y = 0, 0\n") + block("def add(a, b):\n    return a + b + X\n"),
    "only the language": f"python\n{FULL}",
    "a byte-order mark": "\ufeff" + FULL,
}


@pytest.mark.parametrize("problem", [HE, MBPP, BARE], ids=["humaneval", "mbpp", "no docstring"])
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
def test_the_program_is_found_and_works(problem: Problem, answer: str) -> None:
    space: dict[str, Any] = {}
    exec(extract(answer, problem, RULE), space)
    assert space["add"](1, 2) == 3


BODY_WITH_FENCES = '    """Add.\n\n    ```\n    add(1, 2)\n    ```\n    """\n    return a + b\n'


@pytest.mark.parametrize("answer", [BODY_WITH_FENCES, block("add = lambda a, b: a + b\n")])
def test_bodies_and_assignments_continue_a_prompt(answer: str) -> None:
    space: dict[str, Any] = {}
    exec(extract(answer, BARE, RULE), space)
    assert space["add"](1, 2) == 3


def test_a_usage_that_comes_later_stays_out() -> None:
    for later in ("b = input()\n", "n = 0\nfor a in range(3):\n    print(a)\n", "r = add(1, 2)\n"):
        assert extract(block(FULL) + block(later), MBPP, RULE).strip() == FULL.strip()


@pytest.mark.parametrize(
    "text",
    [
        "```\n'''\n" * 20_000 + '"""\n' * 20_000,
        "<code>\n" * 50_000,
        "<pre" * 50_000,
        "</code>" * 50_000,
        "<pre>" + " " * 100_000,
        "import (" * 50_000,
    ],
    ids=["quotes", "html", "half a tag", "closers", "blanks", "imports"],
)
def test_hostile_text_comes_to_an_end(text: str) -> None:
    """A time that grows with the square would be minutes."""
    extract(text, MBPP, RULE)
