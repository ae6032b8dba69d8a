"""The one type that every benchmark becomes, and its files in HumanEval's and MBPP's own schema.

A HumanEval-shaped problem has a prompt that the answer continues (signature and docstring) and one test
string that defines `check(candidate)`; an MBPP-shaped one has a sentence and a list of assert statements.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from xpflow.artifacts.io import read_jsonl, write_jsonl
from xpflow.errors import DataError

Shape = Literal["humaneval", "mbpp"]
MBPP_PREFIX = "MBPP/"
_DEFINED = re.compile(r"^\s*(?:async\s+)?(?:def|class)\s+(\w+)", re.MULTILINE)
_NAME = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True, slots=True)
class Problem:
    """One programming task.

    `canonical_solution` is the indented body that completes `prompt` in the humaneval shape and the whole
    code in the mbpp shape; `setup` (MBPP's test_setup_code) runs between the code and the asserts;
    `shown_tests` says how many asserts the chat prompt of an mbpp-shaped problem shows. `tests` is empty
    for problems that are prompts only.
    """

    task_id: str
    prompt: str
    entry_point: str
    tests: tuple[str, ...]
    canonical_solution: str
    source: str
    split: str
    shape: Shape
    setup: str = ""
    shown_tests: int = 1

    @property
    def solution(self) -> str:
        """The canonical solution as a complete program."""
        return self.prompt + self.canonical_solution if self.shape == "humaneval" else self.canonical_solution

    def to_row(self) -> dict[str, Any]:
        """Return the problem in HumanEval's or MBPP's schema, with `source`, `split` added."""
        extra = {"source": self.source, "split": self.split}
        if self.shape == "humaneval":
            return {
                "task_id": self.task_id,
                "prompt": self.prompt,
                "entry_point": self.entry_point,
                "canonical_solution": self.canonical_solution,
                "test": "\n".join(self.tests),
                **extra,
            }
        return {
            "task_id": _number_or_name(self.task_id),
            "text": self.prompt,
            "code": self.canonical_solution,
            "test_list": list(self.tests),
            "test_setup_code": self.setup,
            "challenge_test_list": [],
            "entry_point": self.entry_point,
            "shown_tests": self.shown_tests,
            **extra,
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any], *, where: str = "problem", source: str = "file") -> Problem:
        """Read a row in HumanEval's schema (it has `prompt`) or MBPP's (it has `text`).

        `where` (a file and line) starts every error message; `source` applies where the row names none.

        Raises:
            DataError: a field is absent or of the wrong type, or an mbpp row's entry point cannot be found.
        """
        fields = _Fields(row, where)
        if "text" in row:
            return _from_mbpp(fields, source)
        if "prompt" in row:
            return _from_humaneval(fields, source)
        raise DataError(
            f"{where}: neither field 'prompt' (HumanEval's schema) nor 'text' (MBPP's schema)",
            hint=f"fields found: {', '.join(sorted(map(str, row)))}",
        )


def problems_from_file(path: str | Path, *, source: str = "file") -> list[Problem]:
    """Read problems from JSON lines in either schema; errors name file, line and field."""
    problems: dict[str, Problem] = {}
    for number, row in enumerate(read_jsonl(path), start=1):
        where = f"{path}, problem {number}"
        problem = Problem.from_row(row, where=where, source=source)
        if problem.task_id in problems:
            raise DataError(f"{where}, field 'task_id': {problem.task_id!r} occurs twice")
        problems[problem.task_id] = problem
    return list(problems.values())


def problems_to_file(path: str | Path, problems: Iterable[Problem]) -> None:
    """Write problems as JSON lines that `problems_from_file` reads back equal."""
    write_jsonl(path, (problem.to_row() for problem in problems))


def entry_point_of(code: str, tests: Iterable[str]) -> str | None:
    """Return the first name that the tests mention and `code` defines at any depth, else None.

    MBPP names no entry point; every one of its 974 tasks has one by this rule. Text only: nothing is parsed
    or run.
    """
    defined = set(_DEFINED.findall(code))
    for test in tests:
        for name in _NAME.findall(test):
            if name in defined:
                return str(name)
    return None


class _Fields:
    """Typed access to a row; what is wrong is said with its place."""

    def __init__(self, row: Mapping[str, Any], where: str) -> None:
        self.row, self.where = row, where

    def text(self, name: str, default: str | None = None) -> str:
        value = self.row.get(name, default)
        if not isinstance(value, str):
            raise self.wrong(name, "a string", value)
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        value = self.row.get(name)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.wrong(name, "a list of strings", value)
        return tuple(value)

    def count(self, name: str, default: int) -> int:
        value = self.row.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self.wrong(name, "a number not below 0", value)
        return value

    def task_id(self) -> str:
        value = self.row.get("task_id")
        if isinstance(value, int) and not isinstance(value, bool):
            return f"{MBPP_PREFIX}{value}"
        if not isinstance(value, str) or not value:
            raise self.wrong("task_id", "a name or a number", value)
        return value

    def wrong(self, name: str, expected: str, value: object) -> DataError:
        found = f"{type(value).__name__} {value!r:.60}" if name in self.row else "nothing"
        return DataError(f"{self.where}, field {name!r}: expected {expected}, found {found}")


def _from_humaneval(fields: _Fields, source: str) -> Problem:
    test = fields.text("test")
    return Problem(
        task_id=fields.task_id(),
        prompt=fields.text("prompt"),
        entry_point=fields.text("entry_point"),
        tests=(test,) if test else (),
        canonical_solution=fields.text("canonical_solution", ""),
        source=fields.text("source", source),
        split=fields.text("split", "test"),
        shape="humaneval",
    )


def _from_mbpp(fields: _Fields, source: str) -> Problem:
    code, tests = fields.text("code", ""), fields.texts("test_list")
    found = fields.row.get("entry_point") or entry_point_of(code, tests)
    if not isinstance(found, str):
        raise DataError(
            f"{fields.where}, field 'entry_point': absent, and 'code' defines no name of the tests",
            hint="add an 'entry_point' to the row",
        )
    return Problem(
        task_id=fields.task_id(),
        prompt=fields.text("text"),
        entry_point=found,
        tests=tests,
        canonical_solution=code,
        source=fields.text("source", source),
        split=fields.text("split", "test"),
        shape="mbpp",
        setup=fields.text("test_setup_code", ""),
        shown_tests=fields.count("shown_tests", 3),
    )


def _number_or_name(task_id: str) -> int | str:
    number = task_id.removeprefix(MBPP_PREFIX)
    return int(number) if number != task_id and number.isdecimal() else task_id
