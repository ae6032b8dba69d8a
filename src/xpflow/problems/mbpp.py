"""MBPP (974 tasks, CC-BY-4.0) from the hub at a pinned revision, or from a local copy of `mbpp.jsonl`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xpflow.artifacts.io import read_jsonl
from xpflow.errors import DataError
from xpflow.hub.catalogue import mbpp
from xpflow.hub.snapshot import local_snapshot, read_parquet
from xpflow.problems.problem import MBPP_PREFIX, Problem
from xpflow.problems.sources import DataSources, announce_file

# The splits of the MBPP paper by task number, first and last included.
SPLITS = {"prompt": (1, 10), "test": (11, 510), "validation": (511, 600), "train": (601, 974)}


def load_mbpp(sources: DataSources, split: str) -> list[Problem]:
    """Return one split in order of task number: prompt 10, test 500, validation 90 or train 374 problems.

    Raises:
        DataError: a row is malformed, or the split does not have its full size.
        HubError: the data was not fetched.
    """
    problems = mbpp_problems(*_rows(sources, split))
    chosen = [problem for problem in problems if problem.split == split]
    first, last = SPLITS[split]
    if len(chosen) != last - first + 1:
        raise DataError(
            f"MBPP split {split!r}: expected {last - first + 1} problems, found {len(chosen)}",
            hint="the original file mbpp.jsonl has 974 tasks, numbered 1 to 974",
        )
    return chosen


def mbpp_problems(rows: Sequence[Mapping[str, Any]], where: str) -> list[Problem]:
    """Turn rows in MBPP's schema into problems in order of task number; the number decides the split."""
    problems = []
    for line, row in enumerate(rows, start=1):
        place = f"{where}, problem {line}"
        split = split_of(row.get("task_id"), place)
        problems.append(
            Problem.from_row({**row, "source": "mbpp", "split": split, "shown_tests": 3}, where=place)
        )
    problems.sort(key=lambda problem: int(problem.task_id.removeprefix(MBPP_PREFIX)))
    return problems


def split_of(number: object, where: str = "MBPP") -> str:
    """Return the split of a task number."""
    if isinstance(number, int):
        for split, (first, last) in SPLITS.items():
            if first <= number <= last:
                return split
    raise DataError(f"{where}, field 'task_id': expected a number from 1 to 974, found {number!r}")


def _rows(sources: DataSources, split: str) -> tuple[list[dict[str, Any]], str]:
    if sources.mbpp is not None:
        announce_file(sources.mbpp, "problems.sources.mbpp")
        return read_jsonl(sources.mbpp), str(sources.mbpp)
    return hub_rows("full", split, sources.mbpp_revision)


def hub_rows(name: str, split: str, revision: str) -> tuple[list[dict[str, Any]], str]:
    """Return a split of a configuration of the fetched data set, and what to call it in messages.

    Raises:
        HubError: it was not fetched.
    """
    repo = mbpp(revision)
    rows = read_parquet(local_snapshot(repo), f"{name}/{split}-*.parquet")
    return rows, f"{repo.hub_id}/{name}@{repo.revision[:12]}"
