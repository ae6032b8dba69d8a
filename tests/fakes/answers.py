"""One problem in both shapes, and a program that solves it: what answers are taken apart for."""

from __future__ import annotations

from xpflow.problems import Problem

RULE = "markdown-v1"
PROMPT = 'def add(a, b):\n    """Add."""\n'
HE = Problem("h", PROMPT, "add", ("def check(add):\n    assert add(1, 2) == 3\n",), "", "t", "t", "humaneval")
MBPP = Problem("m", "Add.", "add", ("assert add(1, 2) == 3",), "", "t", "t", "mbpp")
FULL = "def add(a, b):\n    return a + b\n"
