"""What a shape is: how problems of one kind are asked, read from files, and judged.

Two kinds of judging exist. Without a `judge`, an answer becomes a program that runs against the problem's
tests, in a jail. A `judge` compares the answer as text, on the trusted side: it must never run, parse or
evaluate it. To add a shape: a file with a `Shape` in it, and its line in `xpflow.problems.shapes`; or no line
at all, where a benchmark names the file. No protocol has to know it: one without a way of its own for a shape
asks by the shape's `instruction` and reads by its `extraction`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from xpflow.errors import DataError
from xpflow.problems.problem import Problem


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a judge says of an answer: whether it is right, both values where it is not, and its measures."""

    passed: bool
    found: str = ""
    expected: str = ""
    measures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shape:
    """How problems of one kind are asked, read from files and judged.

    Args:
        name: what problems and protocols call it.
        title: as people are told it.
        about: how an answer is judged, in one line.
        instruction: problem -> the user's turn, where a protocol has no way of its own.
        extraction: the rule that reads answers then (`xpflow.grading.extraction`).
        from_row, to_row: a row of a file to a problem (the second argument starts error messages) and back.
        example: a small problem of this shape, for tests and for hashes of prompts.
        continues: a program is the prompt with the answer behind it, and the problem's one test defines
            `check(candidate)`; otherwise the answer is the whole program, and tests are statements about it.
        judge: (problem, answer) -> judgement by comparison of texts; None: a program runs in a jail.
        measures: names of what its judge measures besides, each a column of a table.
    """

    name: str
    title: str
    about: str
    instruction: Callable[[Problem], str]
    extraction: str
    from_row: Callable[[Mapping[str, Any], str], Problem]
    to_row: Callable[[Problem], dict[str, Any]]
    example: Problem
    continues: bool = False
    judge: Callable[[Problem, str], Judgement] | None = None
    measures: tuple[str, ...] = ()


class Fields:
    """Typed access to a row of a problem file; what is wrong is said with its place (`where`)."""

    def __init__(self, row: Mapping[str, Any], where: str) -> None:
        self.row, self.where = row, where

    def text(self, name: str, default: str | None = None) -> str:
        """Return a text; raises DataError, as all of these do."""
        value = self.row.get(name, default)
        if not isinstance(value, str):
            raise self.wrong(name, "a string", value)
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts."""
        value = self.row.get(name)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.wrong(name, "a list of strings", value)
        return tuple(value)

    def count(self, name: str, default: int) -> int:
        """Return a number that is not negative."""
        value = self.row.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self.wrong(name, "a number not below 0", value)
        return value

    def task_id(self, prefix: str = "") -> str:
        """Return the task's name; `prefix` makes one of a number."""
        value = self.row.get("task_id")
        if prefix and isinstance(value, int) and not isinstance(value, bool):
            return f"{prefix}{value}"
        if not isinstance(value, str) or not value:
            raise self.wrong("task_id", "a name or a number" if prefix else "a name", value)
        return value

    def wrong(self, name: str, expected: str, value: object) -> DataError:
        """Return the error that says what stands in a field instead of what was expected."""
        found = f"{type(value).__name__} {value!r:.60}" if name in self.row else "nothing"
        return DataError(f"{self.where}, field {name!r}: expected {expected}, found {found}")
