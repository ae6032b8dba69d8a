"""Merging shards: the bytes of the result depend on the rows alone, not on their order or number of files."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from xpflow.artifacts.io import read_jsonl, write_jsonl
from xpflow.errors import ArtifactError, DataError
from xpflow.study.config.base import parse_budget
from xpflow.study.layout import SAMPLES, VERDICTS, row_folder
from xpflow.study.result_files import Fields


def merge_rows(parts: Iterable[Path], out: Path) -> int:
    """Merge JSON-lines files by `task_id`, numbers in it by value; returns the number of rows.

    Raises:
        DataError: a row has no task_id, or two have the same.
    """
    rows: dict[str, Fields] = {}
    for part in parts:
        for row in read_jsonl(part):
            task = _task(row, part)
            if task in rows:
                raise DataError(f"{part}: {task} comes twice", hint="are these shards of one run?")
            rows[task] = row
    write_jsonl(out, (rows[task] for task in sorted(rows, key=_natural)))
    return len(rows)


def tasks_of(problems: Path) -> list[str]:
    """Return the tasks of a file of problems, in its order; what else a problem says does not matter here.

    Raises:
        DataError: a row has no task_id.
    """
    return [_task(row, problems) for row in read_jsonl(problems)]


def merge_evaluation(parts: Iterable[Path], tasks: Sequence[str], out: Path) -> list[Path]:
    """Merge graded shards into one folder per arm, budget and seed below `out`; returns the folders.

    Args:
        parts: folders that hold samples.jsonl (of a decoding job) and verdicts.jsonl (of the same rows).
        tasks: every task of the benchmark, in the order of the published files.
        out: results/<study>/<model>/eval/<benchmark>.
    Raises:
        DataError: a run lacks a task or has one twice, or a shard's two files do not fit together.
    """
    runs: dict[str, dict[str, tuple[Fields, Fields]]] = defaultdict(dict)
    for part in parts:
        for sample, verdict in _pairs(part):
            run, task = _run(sample, part), sample["task_id"]
            if task in runs[run]:
                raise DataError(f"{part}: {task} comes twice in {run}", hint="are these shards of one job?")
            runs[run][task] = (sample, verdict)
    for run, pairs in sorted(runs.items()):
        _check_tasks(run, pairs, tasks)
        write_jsonl(out / run / SAMPLES, (pairs[task][0] for task in tasks))
        write_jsonl(out / run / VERDICTS, (pairs[task][1] for task in tasks))
    return [out / run for run in sorted(runs)]


def _pairs(part: Path) -> list[tuple[Fields, Fields]]:
    """Return the rows of a graded shard: verdicts stand in the order of the samples."""
    samples, verdicts = read_jsonl(part / SAMPLES), read_jsonl(part / VERDICTS)
    if [_task(row, part) for row in samples] != [_task(row, part) for row in verdicts]:
        raise DataError(f"{part}: {VERDICTS} is not of {SAMPLES}", hint="grade the samples again")
    return list(zip(samples, verdicts, strict=True))


def _run(sample: Fields, part: Path) -> str:
    try:
        return row_folder(sample["arm"], parse_budget(sample["budget"]), int(sample["seed"]))
    except (KeyError, ValueError) as error:
        raise ArtifactError(
            f"{part / SAMPLES}: a row without arm, budget or seed: {json.dumps(sample)[:80]}",
            hint="`xpflow evaluate` writes such a file",
        ) from error


def _check_tasks(run: str, found: Iterable[str], tasks: Sequence[str]) -> None:
    odd = sorted(set(found) ^ set(tasks))
    if odd:
        raise DataError(
            f"{run}: {len(odd)} tasks too many or too few (first: {odd[0]})",
            hint="are all shards of the job there?",
        )


def _task(row: Fields, part: Path) -> str:
    task = row.get("task_id")
    if not isinstance(task, str | int):
        raise DataError(f"{part}: a row without task_id")
    return str(task)


def _natural(text: str) -> tuple[list[tuple[int, int, str]], str]:
    """Return a key that sorts task/2 before task/10; the text itself decides between equals."""
    pieces = re.split(r"(\d+)", text)
    return [(1, int(p), "") if p.isdecimal() else (0, 0, p) for p in pieces], text
