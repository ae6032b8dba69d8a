"""The sanitized MBPP (427 hand-verified tasks, CC-BY-4.0): another benchmark than the full one.

Its texts and tests were edited, so a score on it (k/257 on its test split, k/427 on all of it) cannot be set
beside one on the full test split (k/500). `all` holds the tasks that 3-shot prompts show as examples.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from xpflow.artifacts.io import read_jsonl
from xpflow.errors import DataError
from xpflow.problems.mbpp import hub_rows, split_of
from xpflow.problems.problem import MBPP_PREFIX, Problem
from xpflow.problems.sources import DataSources, announce_file

SIZES = {"prompt": 7, "test": 257, "validation": 43, "train": 120}
ALL = "all"
SETTING = "problems.sources.mbpp_sanitized"


def load_mbpp_sanitized(sources: DataSources, split: str) -> list[Problem]:
    """Return one split in order of task number: prompt 7, test 257, validation 43, train 120 or all 427.

    Raises:
        DataError: the data cannot be had, a row is malformed, or the split does not have its full size.
    """
    if sources.mbpp_sanitized is not None:
        announce_file(sources.mbpp_sanitized, SETTING)
        rows, where = _file_rows(Path(sources.mbpp_sanitized)), str(sources.mbpp_sanitized)
    else:
        rows, where = hub_rows("sanitized", "*" if split == ALL else split, sources.mbpp_revision)
    chosen = [problem for problem in sanitized_problems(rows, where) if split in (ALL, problem.split)]
    expected = sum(SIZES.values()) if split == ALL else SIZES[split]
    if len(chosen) != expected:
        raise DataError(
            f"sanitized MBPP, split {split!r}: expected {expected} problems, found {len(chosen)}",
            hint="the original file sanitized-mbpp.json has 427 tasks",
        )
    return chosen


def sanitized_problems(rows: Sequence[Mapping[str, Any]], where: str) -> list[Problem]:
    """Turn rows {task_id, prompt, code, test_imports, test_list} into problems in order of task number."""
    problems = [_problem(row, f"{where}, problem {line}") for line, row in enumerate(rows, start=1)]
    return sorted(problems, key=lambda problem: int(problem.task_id.removeprefix(MBPP_PREFIX)))


def _problem(row: Mapping[str, Any], place: str) -> Problem:
    """Read a row as one of the full benchmark: the imports are set-up code, every test is shown."""
    split = split_of(row.get("task_id"), place)
    imports, tests = row.get("test_imports", []), row.get("test_list")
    if not isinstance(imports, list) or not all(isinstance(line, str) for line in imports):
        raise DataError(f"{place}, field 'test_imports': expected a list of strings, found {imports!r:.60}")
    if not isinstance(row.get("prompt"), str):
        raise DataError(f"{place}, field 'prompt': expected a string, found {row.get('prompt')!r:.60}")
    full = {
        "task_id": row["task_id"],
        "text": row["prompt"],
        "code": row.get("code"),
        "test_list": tests,
        "test_setup_code": "\n".join(imports),
        "shown_tests": len(tests) if isinstance(tests, list) else 0,
    }
    return Problem.from_row({**full, "source": "mbpp-sanitized", "split": split}, where=place)


def _file_rows(path: Path) -> list[dict[str, Any]]:
    """Read one JSON array (the original file) or JSON lines."""
    text = path.read_text(encoding="utf-8")
    if not text.lstrip().startswith("["):
        return read_jsonl(path)
    try:
        rows = json.loads(text)
    except ValueError as error:
        raise DataError(f"{path}: not JSON ({error})") from error
    if not all(isinstance(row, dict) for row in rows):
        raise DataError(f"{path}: expected an array of objects")
    return list(rows)
