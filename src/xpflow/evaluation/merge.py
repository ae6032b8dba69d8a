"""Merging shards: the bytes of the result depend on the rows alone, not on their order or number of files."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from xpflow.artifacts.io import read_jsonl, write_jsonl
from xpflow.artifacts.places import is_plain
from xpflow.errors import ArtifactError, DataError
from xpflow.study.config.base import parse_budget
from xpflow.study.layout import SAMPLES, VERDICTS, row_folder
from xpflow.study.result_files import Answer, Fields, require_all_samples, sample_number


def merge_rows(parts: Iterable[Path], out: Path) -> int:
    """Merge JSON-lines files by `task_id`, numbers in it by value, and `sample`; returns the number of rows.

    Raises:
        DataError: a row has no task_id, or two have the same and the same sample.
    """
    rows: dict[Answer, Fields] = {}
    for part in parts:
        for row in read_jsonl(part):
            answer = _answer(row, part)
            if answer in rows:
                raise DataError(f"{part}: {answer} comes twice", hint="are these shards of one run?")
            rows[answer] = row
    write_jsonl(out, (rows[answer] for answer in sorted(rows, key=_natural)))
    return len(rows)


def tasks_of(problems: Path) -> list[str]:
    """Return the tasks of a file of problems, in its order; what else a problem says does not matter here.

    Raises:
        DataError: a row has no task_id, or that of an earlier one.
    """
    tasks = [_task(row, problems) for row in read_jsonl(problems)]
    if len(set(tasks)) < len(tasks):
        twice = next(task for task in tasks if tasks.count(task) > 1)
        raise DataError(
            f"{problems}: {twice} comes twice", hint="each problem counts once: remove one of them"
        )
    return tasks


def merge_evaluation(parts: Iterable[Path], tasks: Sequence[str], out: Path) -> list[Path]:
    """Merge graded shards into one folder per arm, budget and seed below `out`; returns the folders.

    Rows are in the order of the tasks, and of the samples of each.

    Args:
        parts: folders that hold samples.jsonl (of a decoding job) and verdicts.jsonl (of the same rows).
        tasks: every task of the benchmark, in the order of the published files.
        out: results/<study>/<model>/eval/<benchmark>.
    Raises:
        DataError: a run lacks a task or a sample of one, or has one twice, or a shard's two files do not fit
            together, or there is no row at all. ArtifactError: a row does not say which run it is of.
    """
    runs: dict[str, dict[Answer, tuple[Fields, Fields]]] = defaultdict(dict)
    for part in parts:
        for sample, verdict in _pairs(part):
            run, answer = _run(sample, part), _answer(sample, part)
            if answer in runs[run]:
                raise DataError(f"{part}: {answer} comes twice in {run}", hint="are these shards of one job?")
            runs[run][answer] = (sample, verdict)
    if not runs:
        raise DataError("the shards hold no samples", hint="are these the folders of a decoding job?")
    for run, pairs in sorted(runs.items()):
        _check_tasks(run, {answer.task for answer in pairs}, tasks)
        samples = 1 + max(answer.sample for answer in pairs)
        require_all_samples(run, pairs, samples)
        order = [Answer(task, number) for task in tasks for number in range(samples)]
        write_jsonl(out / run / SAMPLES, (pairs[answer][0] for answer in order))
        write_jsonl(out / run / VERDICTS, (pairs[answer][1] for answer in order))
    return [out / run for run in sorted(runs)]


def _pairs(part: Path) -> list[tuple[Fields, Fields]]:
    """Return the rows of a graded shard: verdicts stand in the order of the samples."""
    samples, verdicts = read_jsonl(part / SAMPLES), read_jsonl(part / VERDICTS)
    if [_answer(row, part) for row in samples] != [_answer(row, part) for row in verdicts]:
        raise DataError(f"{part}: {VERDICTS} is not of {SAMPLES}", hint="grade the samples again")
    return list(zip(samples, verdicts, strict=True))


def _run(sample: Fields, part: Path) -> str:
    """Return the folder of a sample's run, which lies below that of all runs whatever the sample says."""
    arm, seed = sample.get("arm"), sample.get("seed")
    try:
        if not isinstance(arm, str) or not is_plain(arm) or "/" in arm or type(seed) is not int or seed < 0:
            raise ValueError("no name of an arm, or no seed")
        return row_folder(arm, parse_budget(sample["budget"]), seed)
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
    if isinstance(task, bool) or not isinstance(task, str | int):
        raise DataError(f"{part}: a row without task_id")
    return str(task)


def _answer(row: Fields, part: Path) -> Answer:
    return Answer(_task(row, part), sample_number(row, str(part)))


def _natural(answer: Answer) -> tuple[list[tuple[int, int, str]], Answer]:
    """Return a key that sorts task/2 before task/10; between equals the text decides, then the sample."""
    pieces = re.split(r"([0-9]+)", answer.task)  # by length and digits: a number of any length has an order
    digits = [p.lstrip("0") if p.isdecimal() else None for p in pieces]
    keys = [(0, 0, p) if d is None else (1, len(d), d) for p, d in zip(pieces, digits, strict=True)]
    return keys, answer
