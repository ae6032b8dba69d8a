"""The shape of questions with one right answer, a number or a few words (GSM8K, for one).

Answers are compared as text, on the trusted side: numbers by value, words without regard to case, spacing and
a full stop at the end. A row is {shape: "answer", task_id, question, answer}; an `answer` with GSM8K's
`#### 42` at its end is a worked solution of which what follows the mark counts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from xpflow.problems.problem import Problem
from xpflow.problems.shape import Fields, Judgement, Shape

MARK = "####"
LONGEST = 200  # characters of an answer that can be right
_NUMBER = re.compile(r"[-+]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})(?:/\d{1,40})?")
_BESIDE = str.maketrans("", "", ",$€£%")  # written beside a number, not part of it


def instruction(problem: Problem) -> str:
    """Return the question and how the answer is to be marked."""
    return f"{problem.prompt}\n\nThink step by step. Write the final answer on the last line, behind {MARK}."


def judge(problem: Problem, answer: str) -> Judgement:
    """Compare an answer with the expected one."""
    expected = problem.tests[0]
    return Judgement(normalised(answer) == normalised(expected), answer, expected)


def normalised(text: str) -> Fraction | str:
    """Return a text as it is compared: the number that it is, else its words in lower case."""
    if len(text) > LONGEST:
        return text
    bare = text.strip().removesuffix(".").translate(_BESIDE).strip()
    if _NUMBER.fullmatch(bare):
        upper, _, lower = bare.partition("/")
        if not lower:
            return Fraction(upper)
        if int(lower):
            return Fraction(upper) / int(lower)
    return " ".join(text.casefold().split()).removesuffix(".").rstrip()


def from_row(row: Mapping[str, Any], where: str) -> Problem:
    """Read a row {task_id, question, answer}."""
    fields = Fields(row, where)
    answer = fields.text("answer")
    expected = answer.rpartition(MARK)[2].strip()
    return Problem(
        task_id=fields.task_id(),
        prompt=fields.text("question"),
        entry_point="",
        tests=(expected,) if expected else (),
        canonical_solution=answer,
        source=fields.text("source", "file"),
        split=fields.text("split", "test"),
        shape=SHAPE.name,
        shown_tests=0,
    )


def to_row(problem: Problem) -> dict[str, Any]:
    """Return a row {task_id, question, answer}."""
    return {
        "task_id": problem.task_id,
        "question": problem.prompt,
        "answer": problem.canonical_solution,
    }


SHAPE = Shape(
    name="answer",
    title="Exact answer",
    about="the final answer is compared as a number or as words; nothing is run",
    instruction=instruction,
    extraction="final-answer",
    from_row=from_row,
    to_row=to_row,
    example=Problem(
        "probe/0", "What is 40 + 2?", "", ("42",), "40 + 2 = 42\n#### 42", "probe", "test", "answer",
        shown_tests=0,
    ),
    judge=judge,
)  # fmt: skip
