"""MBPP (974 tasks) and its sanitized version (427 hand-verified tasks), both CC-BY-4.0.

They come from the hub at a pinned revision, or from local copies of `mbpp.jsonl` and `sanitized-mbpp.json`.
The sanitized MBPP is another benchmark than the full one: its texts and tests were edited, so a score on it
(k/257 on its test split, k/427 on all of it) cannot be set beside one on the full test split (k/500). Its
split `all` holds the tasks that 3-shot prompts show as examples.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from xpflow.artifacts.io import read_text
from xpflow.errors import DataError
from xpflow.hub.repo import HubRepo, read_parquet
from xpflow.hub.tables import is_table, read_rows
from xpflow.problems.benchmark import Benchmark, Data, PromptLengths, require_size
from xpflow.problems.problem import Problem

# The splits of the MBPP paper by task number, first and last included.
SPLITS = {"prompt": (1, 10), "test": (11, 510), "validation": (511, 600), "train": (601, 974)}
SANITIZED_SIZES = {"prompt": 7, "test": 257, "validation": 43, "train": 120}
ALL = "all"
SEEN_IN = frozenset({"mbpp.jsonl", "sanitized-mbpp.json", "datasets--google-research-datasets--mbpp"})
Rows = Sequence[Mapping[str, Any]]

REPO = HubRepo(
    "mbpp",
    "google-research-datasets/mbpp",
    "4bb6404fdc6cacfda99d4ac4205087b89d32030c",
    "dataset",
    "MBPP, 974 tasks",
    {
        "full/test-00000-of-00001.parquet": (
            "566fd53060ffba5766dace1d1e2f4c38906781526de222b0dfbdbc325b696c77"
        ),
        "full/validation-00000-of-00001.parquet": (
            "3f0ec060987432d99fe8fb409d31e6c67445b208a01741c5583517c80a10fe80"
        ),
        "README.md": "6377d5c76ba46b9e650daa6d5eb592e671c9b15586e39f23f50ed9bf2ac54cf6",
    },
)


def load_mbpp(data: Data, split: str) -> Sequence[Problem]:
    """Return one split in order of task number: prompt 10, test 500, validation 90 or train 374 problems.

    Raises:
        DataError: a row is malformed, or the split does not have its full size.
        HubError: the data was not fetched.
    """
    rows, where = (read_rows(data.file), str(data.file)) if data.file else _hub_rows(data, "full", split)
    chosen = [problem for problem in mbpp_problems(rows, where) if problem.split == split]
    first, last = SPLITS[split]
    hint = "the original file mbpp.jsonl has 974 tasks, numbered 1 to 974"
    return require_size(chosen, last - first + 1, f"MBPP split {split!r}", hint)


def load_sanitized(data: Data, split: str) -> Sequence[Problem]:
    """Return one split in order of task number: prompt 7, test 257, validation 43, train 120 or all 427.

    Raises:
        DataError: a row is malformed, or the split does not have its full size.
        HubError: the data was not fetched.
    """
    if data.file is not None:
        rows, where = _file_rows(data.file), str(data.file)
    else:
        rows, where = _hub_rows(data, "sanitized", "*" if split == ALL else split)
    chosen = [problem for problem in sanitized_problems(rows, where) if split in (ALL, problem.split)]
    hint = "the original file sanitized-mbpp.json has 427 tasks"
    return require_size(chosen, SANITIZED.sizes[split], f"sanitized MBPP, split {split!r}", hint)


def mbpp_problems(rows: Rows, where: str) -> list[Problem]:
    """Turn rows in MBPP's schema into problems in order of task number; the number decides the split."""
    problems = []
    for line, row in enumerate(rows, start=1):
        place = f"{where}, problem {line}"
        split = split_of(row.get("task_id"), place)
        problems.append(
            Problem.from_row({**row, "source": "mbpp", "split": split, "shown_tests": 3}, where=place)
        )
    return sorted(problems, key=_number)


def sanitized_problems(rows: Rows, where: str) -> list[Problem]:
    """Turn rows {task_id, prompt, code, test_imports, test_list} into problems in order of task number."""
    problems = [_sanitized(row, f"{where}, problem {line}") for line, row in enumerate(rows, start=1)]
    return sorted(problems, key=_number)


def split_of(number: object, where: str = "MBPP") -> str:
    """Return the split of a task number."""
    if isinstance(number, int):
        for split, (first, last) in SPLITS.items():
            if first <= number <= last:
                return split
    raise DataError(f"{where}, field 'task_id': expected a number from 1 to 974, found {number!r}")


def _number(problem: Problem) -> int:
    return int(problem.task_id.rpartition("/")[2])


def _sanitized(row: Mapping[str, Any], place: str) -> Problem:
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


def _hub_rows(data: Data, name: str, split: str) -> tuple[Rows, str]:
    """Return a split of a configuration of the fetched data set, and what to call it in messages."""
    assert data.repo is not None
    where = f"{data.repo.hub_id}/{name}@{data.repo.revision[:12]}"
    return read_parquet(data.repo, f"{name}/{split}-*.parquet"), where


def _file_rows(path: Path) -> Rows:
    """Read one JSON array (the original file), JSON lines or a table."""
    if is_table(path):
        return read_rows(path)
    text = read_text(path)
    if not text.lstrip().startswith("["):
        return read_rows(path)
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON ({error})") from error
    if not all(isinstance(row, dict) for row in rows):
        raise DataError(f"{path}: expected an array of objects")
    return list(rows)


# Lengths with the three worked examples that most protocols show, and without.
PROMPTS = PromptLengths(700, 1500, zero_shot=(180, 1000))

MBPP = Benchmark(
    name="mbpp",
    title="MBPP",
    about="MBPP, all 974 tasks: scores are k/500 on test",
    shape="mbpp",
    load=load_mbpp,
    sizes={split: last - first + 1 for split, (first, last) in SPLITS.items()},
    file="mbpp",
    hub=REPO,
    revision="mbpp_revision",
    prompts=PROMPTS,
    tasks="MBPP/",
    seen_in=SEEN_IN,
    download_bytes=600e3,
    license="cc-by-4.0",
    made="Written by crowd workers for Google Research (google-research-datasets/mbpp).",
)
SANITIZED = Benchmark(
    name="mbpp-sanitized",
    about="MBPP, the 427 hand-verified tasks: k/257 on test, k/427 on all",
    shape="mbpp",
    load=load_sanitized,
    sizes={**SANITIZED_SIZES, ALL: sum(SANITIZED_SIZES.values())},
    file="mbpp_sanitized",
    hub=REPO,
    revision="mbpp_revision",
    prompts=PROMPTS,
    tasks="MBPP/",
    seen_in=SEEN_IN,
    download_bytes=600e3,
    license="cc-by-4.0",
    made="Written by crowd workers for Google Research (google-research-datasets/mbpp).",
)
