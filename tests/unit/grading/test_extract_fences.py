"""Where a fenced block ends, and what belongs to the program that it holds, to the character."""

from __future__ import annotations

import pytest

from fakes.answers import FULL, HE, MBPP, PROMPT, RULE
from xpflow.grading.extraction.rule import extract
from xpflow.problems import Problem

MINUS = "def add(a, b):\n    return a - b\n"


def program(answer: str) -> str:
    """Return the program of an answer to a problem of words."""
    return extract(answer, MBPP, RULE)


@pytest.mark.parametrize("lead", ["    ", "\t", "     ", " \t", "        "])
def test_a_pair_of_fences_that_lie_deeper_is_a_part_of_the_program(lead: str) -> None:
    code = f"{FULL}{lead}```\n{lead}add(1, 2)\n{lead}```\n# end\n"
    assert program(f"```python\n{code}```\nDone.") == code
    twice = code + code.replace("return", "return +")
    assert program(f"```python\n{twice}```\nDone.") == twice


@pytest.mark.parametrize("lead", ["", " ", "  ", "   "])
def test_a_fence_up_to_three_places_deeper_ends_the_block(lead: str) -> None:
    assert program(f"```python\n{FULL}{lead}```\nSome words.\n{lead}```\nmore\n```\n") == FULL


@pytest.mark.parametrize("lead", ["    ", "\t"])
def test_one_fence_that_lies_deeper_ends_the_block(lead: str) -> None:
    assert program(f"```python\n{FULL}{lead}```\nDone.") == FULL
    other = "```python\nprint(1)\n```\n"
    assert program(f"```python\n{FULL}{lead}```\nUse it:\n{other}") == FULL
    assert program(f"{other}```python\n{FULL}{lead}```\nUse it:\n{other}") == FULL


def test_an_indented_block_is_measured_from_its_own_fence() -> None:
    deep = "".join(f"    {line}\n" for line in FULL.splitlines())
    assert program(f"1. First:\n    ```python\n{deep}    ```\nDone.") == FULL
    assert program(f"1. First:\n    ```python\n{deep}```\nDone.") == FULL
    assert program(f"> ```python\n> {FULL.splitlines()[0]}\n> {FULL.splitlines()[1]}\n> ```\n") == FULL


@pytest.mark.parametrize("opener", ["````", "~~~", "~~~~"])
def test_a_fence_that_is_shorter_or_of_the_other_kind_ends_nothing(opener: str) -> None:
    code = f"{FULL}    ```\n"
    assert program(f"{opener}python\n{code}{opener}\nDone.") == code


@pytest.mark.parametrize("mark", ["'", '"'])
def test_a_fence_in_a_string_ends_nothing_and_one_behind_it_does(mark: str) -> None:
    code = f"def add(a, b):\n    fence, words = {mark}```{mark}, {mark}a ``` b{mark}\n    return a + b\n"
    assert program(f"```python\n{code}```\nDone.") == code
    assert program(f"```python\nx = {mark}y{mark}\n{FULL.rstrip()}```\nDone.") == f"x = {mark}y{mark}\n{FULL}"
    assert program(f"```python\n{FULL}x = {mark}y{mark}```\n") == f"{FULL}x = {mark}y{mark}\n"
    assert program(f"```python\n{FULL}x = {mark}y{mark}```") == f"{FULL}x = {mark}y{mark}\n"
    twice = f"x = {mark}a ``` b{mark}"
    assert program(f"```python\n{FULL}{twice}```\nDone.") == f"{FULL}{twice}\n"
    line = f"add = lambda a, b: a + b or {mark}none{mark}"
    assert program(f"It is ```{line}``` as you see.") == f"{line}\n"


@pytest.mark.parametrize("mark", ["'''", '"""'])
def test_a_fence_in_a_docstring_ends_nothing_also_behind_other_blocks(mark: str) -> None:
    doc = f"def add(a, b):\n    {mark}Add.\n\n```\nadd(1, 2)\n```\n{mark}\n    return a + b\n"
    assert program(f"```python\n{doc}```\nDone.") == doc
    setup = "p = 1\nq = 2\nr = 3\ns = 4\n"
    assert program(f"```python\n{setup}```\nThen:\n```python\n{doc}```\nDone.") == doc
    open_ended = f"def add(a, b):\n    x = {mark}\n    return a + b\n"  # never closed: no string at all
    assert program(f"```python\n{open_ended}```\nDone.") == open_ended


def test_a_language_that_is_not_python_is_not_chosen() -> None:
    for language in ("brainwave", "java", "bash", "sql"):
        assert program(f"```python\n{FULL}```\n```{language}\n{MINUS}```\n") == FULL
    for language in ("", "py", "Python3", "python3.11", "ipython"):
        assert program(f"```python\n{MINUS}```\n```{language}\n{FULL}```\n") == FULL
    assert program(f"```brainwave\n{FULL}```\n") == FULL  # there is no other


def test_what_stands_before_a_fence_that_only_closes() -> None:
    assert extract("    return a + b\n```\nDone.", HE, RULE) == f"{PROMPT}    return a + b"
    assert extract("\treturn a + b\n```\nDone.", HE, RULE) == f"{PROMPT}\treturn a + b"
    assert extract("Sure.\n```\n    return a + b", HE, RULE) == f"{PROMPT}    return a + b\n"
    assert program("Sure.\n```\npass") == "pass\n"
    assert program(f"{FULL}```\nDone.") == FULL.rstrip("\n")


def test_a_program_brings_what_it_uses_and_no_more() -> None:
    one, two = "def one(a):\n    return two(a)\n", "def two(a):\n    return a\n"
    main = "def add(a, b):\n    return one(a) + b\n"
    fenced = [f"```python\n{code}```\n" for code in (two, one, "def other():\n    pass\n", main)]
    assert program("".join(fenced)) == f"{two}\n{one}\n{main}"
    assert program(fenced[3] + fenced[1] + fenced[0]) == f"{two}\n{one}\n{main}"
    back = "def one(a):\n    return add(a, 0)\n"  # a later block about the program itself
    assert program(f"{fenced[3]}```python\n{back}```\n") == main
    named = main.replace("one", "add_one")
    helper = "def add_one(a):\n    return a\n"
    assert program(f"```python\n{named}```\n```python\n{helper}```\n") == f"{helper}\n{named}"
    assert program(f"```python\n{main}```\n```python\n{one}print(one(1))\n```\n") == main


def test_a_prompt_without_a_body_gets_one_and_others_none() -> None:
    bare = Problem("h", "def add(a, b):\n", *("add", HE.tests, "", "t", "t", "humaneval"))
    answer = f"```python\n{FULL}```\n"
    assert extract(answer, bare, RULE) == f"def add(a, b):\n    pass\n\n{FULL}"
    assert extract(answer, HE, RULE) == f"{PROMPT.rstrip()}\n\n{FULL}"
    broken = Problem("h", "def add(a, b) ->\n", *("add", HE.tests, "", "t", "t", "humaneval"))
    assert extract(answer, broken, RULE) == f"def add(a, b) ->\n\n{FULL}"
