"""The one type that every benchmark becomes, and files of problems.

What a problem's fields mean is said by its shape: how it is asked, what its tests are, how a row of a file
becomes one. Files hold rows, each in the schema of its shape. They are trusted: their tests are code
that the grader runs outside of the jail, and a row may name a shape that lies in a file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xpflow.artifacts.io import write_jsonl
from xpflow.errors import DataError
from xpflow.hub.tables import is_table, read_rows
from xpflow.problems.shapes import SHAPES

if TYPE_CHECKING:
    from xpflow.problems.shape import Shape

# Published schemas by the field that tells them; rows in every other schema name their shape.
SCHEMAS = {"text": "mbpp", "prompt": "humaneval"}


@dataclass(frozen=True, slots=True)
class Problem:
    """One task.

    Args:
        prompt: the task as the benchmark words it.
        entry_point: the name that the tests call; empty where they call none.
        tests: what an answer is judged by; empty for problems that are prompts only.
        canonical_solution: the benchmark's own answer.
        source, split: where it comes from.
        shape: the name of its shape.
        setup: code that runs between the program and the tests (MBPP's test_setup_code).
        shown_tests: how many of the tests a prompt may show.
    """

    task_id: str
    prompt: str
    entry_point: str
    tests: tuple[str, ...]
    canonical_solution: str
    source: str
    split: str
    shape: str
    setup: str = ""
    shown_tests: int = 1

    @property
    def kind(self) -> Shape:
        """Its shape."""
        return SHAPES[self.shape]

    @property
    def solution(self) -> str:
        """The canonical solution as a complete answer: a program that runs, where programs are asked for."""
        return self.prompt + self.canonical_solution if self.kind.continues else self.canonical_solution

    def to_row(self) -> dict[str, Any]:
        """Return the problem in its shape's schema, with `source` and `split` added."""
        row = {**self.kind.to_row(self), "source": self.source, "split": self.split}
        return row if schema_of(row) == self.shape else {"shape": self.shape, **row}

    @classmethod
    def from_row(cls, row: Mapping[str, Any], *, where: str = "problem", source: str = "file") -> Problem:
        """Read a row: its `shape` says in which schema, else it has HumanEval's `prompt` or MBPP's `text`.

        `where` (a file and line) starts every error message; `source` applies where the row names none.

        Raises:
            DataError: there is no such shape, or a field is absent or of the wrong type.
        """
        shape = row.get("shape") or schema_of(row)
        if not isinstance(shape, str):
            raise DataError(
                f"{where}: neither field 'shape', nor 'prompt' (HumanEval's schema), nor 'text' (MBPP's)",
                hint=f"fields found: {', '.join(sorted(map(str, row)))}",
            )
        return SHAPES[shape].from_row({"source": source, **row}, where)


def schema_of(row: Mapping[str, Any]) -> str | None:
    """Return the shape whose published schema a row is in, or None."""
    return next((shape for field, shape in SCHEMAS.items() if field in row), None)


def problems_from_file(path: str | Path, *, source: str = "file") -> list[Problem]:
    """Read problems from JSON lines, Parquet or an Arrow folder, each in the schema of its shape.

    Raises:
        DataError: names file, row and field.
    """
    rows, table = read_rows(Path(path)), is_table(Path(path))
    return problems_from(rows, str(path), source=source, table=table)


def problems_from(
    rows: Iterable[Mapping[str, Any]], where: str, *, source: str = "file", table: bool = True
) -> list[Problem]:
    """Turn rows (of `datasets`, for one), each in the schema of its shape, into problems.

    In a table a null is a field that a problem has not: problems of several shapes share its columns. `where`
    starts every error message, `source` applies where a row names none.

    Raises:
        DataError: a row is no problem, or two have one task id.
    """
    problems: dict[str, Problem] = {}
    for number, row in enumerate(rows, start=1):
        place = f"{where}, problem {number}"
        problem = Problem.from_row(_without_nulls(row) if table else row, where=place, source=source)
        if problem.task_id in problems:
            raise DataError(f"{place}, field 'task_id': {problem.task_id!r} occurs twice")
        problems[problem.task_id] = problem
    if not problems:
        raise DataError(f"{where} holds no problem", hint="is it the file that was meant?")
    return list(problems.values())


def _without_nulls(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}


def problems_to_file(path: str | Path, problems: Iterable[Problem]) -> None:
    """Write problems as JSON lines that `problems_from_file` reads back equal."""
    write_jsonl(path, (problem.to_row() for problem in problems))
