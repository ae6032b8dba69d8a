"""MBPP's shape: a sentence that says what to write, and assert statements about it.

The canonical solution is the whole code. MBPP names no entry point: it is the first name of the tests that
the code defines.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from xpflow.errors import DataError
from xpflow.problems.problem import Problem
from xpflow.problems.shape import Fields, Shape

PREFIX = "MBPP/"  # of task ids that are numbers in the file
_DEFINED = re.compile(r"^\s*(?:async\s+)?(?:def|class)\s+(\w+)", re.MULTILINE)
_NAME = re.compile(r"[^\W\d]\w*")


def instruction(problem: Problem) -> str:
    """Return the wording of OpenCompass's LLaDA configuration mbpp_gen_830460, without worked examples."""
    if not problem.shown_tests or not problem.tests:
        return problem.prompt
    tests = "\n".join(problem.tests[: problem.shown_tests])
    return (
        f"You are an expert Python programmer, and here is your task: {problem.prompt} "
        f"Your code should pass these tests:\n\n {tests}  \n"
    )


def from_row(row: Mapping[str, Any], where: str) -> Problem:
    """Read a row in MBPP's own schema; raises DataError where the entry point cannot be found either."""
    fields = Fields(row, where)
    code, tests = fields.text("code", ""), fields.texts("test_list")
    found = row.get("entry_point") or entry_point_of(code, tests)
    if not isinstance(found, str):
        raise DataError(
            f"{where}, field 'entry_point': absent, and 'code' defines no name of the tests",
            hint="add an 'entry_point' to the row",
        )
    return Problem(
        task_id=fields.task_id(PREFIX),
        prompt=fields.text("text"),
        entry_point=found,
        tests=tests,
        canonical_solution=code,
        source=fields.text("source", "file"),
        split=fields.text("split", "test"),
        shape=SHAPE.name,
        setup=fields.text("test_setup_code", ""),
        shown_tests=fields.count("shown_tests", 3),
    )


def to_row(problem: Problem) -> dict[str, Any]:
    """Return a row in MBPP's own schema, with two fields of ours: entry point and number of shown tests."""
    return {
        "task_id": _number_or_name(problem.task_id),
        "text": problem.prompt,
        "code": problem.canonical_solution,
        "test_list": list(problem.tests),
        "test_setup_code": problem.setup,
        "challenge_test_list": [],
        "entry_point": problem.entry_point,
        "shown_tests": problem.shown_tests,
    }


def entry_point_of(code: str, tests: Iterable[str]) -> str | None:
    """Return the first name that the tests mention and `code` defines at any depth, else None.

    Every one of MBPP's 974 tasks has an entry point by this rule. Text only: nothing is parsed or run.
    """
    defined = set(_DEFINED.findall(code))
    for test in tests:
        for name in _NAME.findall(test):
            if name in defined:
                return str(name)
    return None


def _number_or_name(task_id: str) -> int | str:
    number = task_id.removeprefix(PREFIX)
    return int(number) if number != task_id and number.isdecimal() else task_id


SHAPE = Shape(
    name="mbpp",
    title="MBPP",
    about="the answer is a whole program, which passes assert statements in a jail",
    instruction=instruction,
    extraction="first-block-v1",
    from_row=from_row,
    to_row=to_row,
    example=Problem(
        "probe/0",
        "Write one.",
        "one",
        ("assert one() == 1",),
        "def one():\n    return 1\n",
        "probe",
        "test",
        "mbpp",
    ),
)
