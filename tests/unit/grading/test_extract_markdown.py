"""The rule for answers in Markdown: whatever the fences look like, the program is found."""

from __future__ import annotations

import time

import pytest

from fakes.answers import FULL, HE, MBPP, PROMPT, RULE
from xpflow.grading.extraction.rule import extract
from xpflow.problems import Problem

BODY = "    return a + b\n"
WRONG = "def add(a, b):\n    return a - b\n"
HELPED = "def add(a, b):\n    return plus(a, b)\n"
PLUS = "def plus(a, b):\n    return a + b\n"
DOCUMENTED = 'def add(a, b):\n    """Add.\n\n    ```\n    add(1, 2)\n    ```\n    """\n    return a + b\n'


def indented(code: str, by: str) -> str:
    return "".join(by + line for line in code.splitlines(keepends=True))


ANSWERS = {
    "plain fence": f"Sure:\n```python\n{FULL}```\nDone.",
    "no language": f"```\n{FULL}```",
    "a blank before the language": f"``` python\n{FULL}```",
    "a blank after the language": f"```python \n{FULL}```",
    "a tab after the language": f"```python\t\n{FULL}```",
    "a version after the language": f"```python 3.11\n{FULL}```",
    "a version on the language": f"```python3.11\n{FULL}```",
    "another case": f"```Python\n{FULL}```",
    "a short language": f"```py3\n{FULL}```",
    "braces": f"```{{.python .numberLines}}\n{FULL}```",
    "a title": f'```python title="add.py"\n{FULL}```',
    "a closer with prose": f"```python\n{FULL}``` This adds.",
    "a closer with a word": f"```python\n{FULL}```Done.",
    "a closer with blanks": f"```python\n{FULL}```   \nDone.",
    "a closer behind code": f"```python\n{FULL.rstrip()}```\nDone.",
    "a closer behind code, with prose": f"```python\n{FULL.rstrip()} ``` It adds.",
    "an opener behind prose": f"Here it is: ```python\n{FULL}```",
    "all on one line": "```python def add(a, b): return a + b```",
    "code behind a bare fence": f"```{FULL}```",
    "indented": "1. Code:\n" + indented(f"```python\n{FULL}```\n", "   ") + "2. Done.",
    "indented by a tab": indented(f"```python\n{FULL}```\n", "\t"),
    "an indented opener and a flat closer": f"   ```python\n{indented(FULL, '   ')}```",
    "a flat opener and an indented closer": f"```python\n{FULL}    ```\nDone.",
    "an indented block in flat fences": f"```python\n{indented(FULL, '    ')}```",
    "a list item": f"- ```python\n{indented(FULL, '  ')}  ```",
    "a quotation": indented(f"```python\n{FULL}```\n", "> "),
    "tildes": f"~~~python\n{FULL}~~~\nDone.",
    "four marks around three": f"````python\n{FULL}````\nAs in ```x```.",
    "only an opener": f"Sure:\n```python\n{FULL}",
    "only a closer": f"{FULL}```\nIt adds both.",
    "only a closer, with prose": f"{FULL}``` It adds both.",
    "only a closer, then a usage": f"{FULL}```\nTry:\n```python\nprint(add(1, 2))\n```",
    "old line ends": f"```python\r\n{FULL}```\r\n".replace("\n", "\r\n").replace("\r\r", "\r"),
    "a usage behind": f"```python\n{FULL}```\nTry:\n```python\nassert add(1, 2) == 4\n```",
    "a usage before": f"```python\nprint(add(1, 2))\n```\nwith\n```python\n{FULL}```",
    "a shell before": f"```bash\npip install x\n```\n```python\n{FULL}```",
    "an output behind": f"```python\n{FULL}```\n```text\n3\n```",
    "an unclosed block before another": f"```python\nx = 1\n```python\n{FULL}```",
    "a draft before": f"```python\n{WRONG}```\nNo, it must be\n```python\n{FULL}```",
    "a wrong one behind": f"```python\n{FULL}```\nA common mistake is:\n```python\n{WRONG}```\nIt subtracts.",
    "a label": f"Correct:\n```python\n{FULL}```\n**Incorrect:**\n```python\n{WRONG}```",
    "a warning": f"```python\n{FULL}```\nDon't write this:\n```python\n{WRONG}```",
    "a judgement": f"```python\n{FULL}```\nor\n```python\n{WRONG}```\nThat is wrong, since it subtracts.",
    "what was wrong before": f"```python\n{WRONG}```\nThat is wrong. It must be\n```python\n{FULL}```",
    "a fixed one": f"```python\n{WRONG}```\nInstead of this wrong one:\n```python\n{FULL}```",
    "only an opener, then prose": f"```python\n{FULL}\nThis function adds both.\nIt works, since + adds.",
    "only an opener, then a list": f"```python\n{FULL}\n- **add** adds both.\n",
    "three quotes": f"'''python\n{FULL}'''\nDone.",
    "three quotes without a language": f"'''\n{FULL}'''\nDone.",
    "three double quotes": f'"""python\n{FULL}"""\nDone.',
    "blanks of a web page": f"```python\n{FULL}```".replace(" ", "\u00a0"),
    "a blank of no width": f"```python\n\u200b{FULL}```",
    "no fence, and prose behind an import": f"import math\n\nHere is it:\n\n{FULL}\nThis adds.",
    "no fence, and prose": f"Here is the function:\n\n{FULL}\nThis adds both.",
    "a string of marks": f"```python\nMARK = '```'\n{FULL}```",
    "no fence": FULL,
}


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("problem", [HE, MBPP], ids=["continues", "whole"])
def test_the_function_is_found_in_any_fence(problem: Problem, name: str) -> None:
    space: dict[str, object] = {}
    exec(extract(ANSWERS[name], problem, RULE), space)
    add = space["add"]
    assert callable(add)
    assert add(1, 2) == 3


@pytest.mark.parametrize("problem", [HE, MBPP], ids=["continues", "whole"])
def test_an_example_in_a_docstring_does_not_end_the_block(problem: Problem) -> None:
    found = extract(f"```python\n{DOCUMENTED}```\nDone.\n```\nadd(1, 2)\n```", problem, RULE)
    assert found.endswith(DOCUMENTED)


@pytest.mark.parametrize("problem", [HE, MBPP], ids=["continues", "whole"])
def test_blocks_that_the_function_needs_come_with_it_and_others_do_not(problem: Problem) -> None:
    answer = (
        f"```python\n{PLUS}```\nand\n```python\nprint(1)\n```\n```python\n{HELPED}```\n```python\nadd()\n```"
    )
    assert extract(answer, problem, RULE).endswith(f"{PLUS}\n{HELPED}")
    assert "print" not in extract(answer, problem, RULE)
    imported = f"```python\nfrom operator import add as plus\n```\n```python\n{HELPED}```"
    assert "import add as plus" in extract(imported, problem, RULE)


@pytest.mark.parametrize(
    "answer",
    [
        BODY,
        f"```python\n{BODY}```",
        f"```\n{BODY}``` Done.",
        f"  ```python\n{indented(BODY, '  ')}  ```",
        f"{BODY}```\nThis adds.",
        f"```python\n{BODY}This adds both numbers.",
        f"Here is the body:\n{BODY}This adds both numbers.",
        f"{BODY}``` This adds.\n```python\nprint(add(1, 2))\n```",
        "```python\nreturn a + b\n```",
    ],
)
def test_a_body_continues_its_prompt(answer: str) -> None:
    assert extract(answer, HE, RULE).rstrip("\n") == (PROMPT + BODY).rstrip("\n")


def test_what_looks_like_prose_in_a_string_is_code() -> None:
    code = 'def add(a, b):\n    """Add.\n\nThis adds both.\n- a\n"""\n    s = "\u00a0"\n    return a + b\n'
    assert extract(f"```python\n{code}", MBPP, RULE).rstrip("\n") == code.rstrip("\n")
    assert extract(code, MBPP, RULE) == code


def test_a_class_or_a_name_is_an_entry_point_too() -> None:
    for code in ("class add:\n    pass\n", "add = max\n"):
        assert extract(f"```\nx\n```\n```python\n{code}```", MBPP, RULE) == code


def test_prose_before_a_block_is_not_taken_for_code() -> None:
    assert extract(f"if you add:\n```\n{BODY}```\nDone", HE, RULE) == PROMPT + BODY


@pytest.mark.parametrize(
    "text",
    [
        "```\n" * 20_000,
        "```\n" + "    ```\n" * 20_000,
        "`" * 100_000,
        "```x\ny = 1\n" * 10_000,
        "> " * 50_000,
    ],
    ids=["fences", "deep fences", "marks", "blocks", "quotations"],
)
def test_hostile_text_takes_linear_time(text: str) -> None:
    start = time.process_time()
    extract(text, HE, RULE)
    assert time.process_time() - start < 5.0
