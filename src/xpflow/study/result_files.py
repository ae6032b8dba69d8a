"""The two files of a run, samples and verdicts: the one place that reads them back, row by row and checked.

Reports take from them what they tabulate, audits whole runs. Verdicts stand beside the samples that they are
of, and both files have a row for each problem.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from xpflow.artifacts.io import read_jsonl
from xpflow.errors import ArtifactError, DataError, XpflowError
from xpflow.study.config.base import budget_text
from xpflow.study.layout import SAMPLES, VERDICTS, Layout
from xpflow.study.rows import Row

MOST_NFE = 1e9
Fields = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Run:
    """The samples and verdicts of one row of a study, by task id, in the order of the samples."""

    row: Row
    folder: Path
    samples: Mapping[str, Fields]
    verdicts: Mapping[str, Fields]

    @property
    def nfe(self) -> list[float]:
        """The executed NFE of all samples."""
        return [float(one["nfe"]) for one in self.samples.values()]


def rows_by_task(path: Path, wrong: Callable[[Fields], str] = lambda row: "") -> dict[str, Fields]:
    """Read a JSON-lines file with one row per problem; returns the rows by task id, in their order.

    Args:
        wrong: names the field of a row that is absent or of another kind, if there is one.
    Raises:
        ArtifactError: the file is absent, empty, or not JSON lines. DataError: a row has no task id or that
            of an earlier row, or is wrong.
    """
    found: dict[str, Fields] = {}
    for number, row in enumerate(read_jsonl(path), start=1):
        task = row.get("task_id")
        if isinstance(task, bool) or not isinstance(task, str | int):
            raise DataError(f"{path}, row {number}: no task_id")
        if str(task) in found:
            raise DataError(f"{path}, row {number}: {task} comes twice")
        if name := wrong(row):
            raise DataError(f"{path}, row {number}: {task} has no {name}, or one of another kind")
        found[str(task)] = row
    if not found:
        raise ArtifactError(f"{path} is empty", hint="delete it and run its stage again")
    return found


def require_same_problems(folder: Path, samples: Mapping[str, Any], verdicts: Mapping[str, Any]) -> None:
    """Raise DataError unless samples and verdicts, by task id, are of the same problems."""
    if odd := sorted(samples.keys() ^ verdicts.keys()):
        raise DataError(
            f"{folder}: samples and verdicts are not of the same problems (first: {odd[0]})",
            hint="grade the samples again",
        )


def read_run(results: Path, row: Row) -> Run:
    """Read the two files of a row below results/<study>, whole.

    Raises:
        DataError: one is absent, unreadable or empty, has a row of another shape or of another run, or the
            two are not of the same problems.
    """
    folder = Layout.of_results(results).row(row)
    samples = readable(folder / SAMPLES, lambda path: rows_by_task(path, wrong_sample))
    verdicts = readable(folder / VERDICTS, lambda path: rows_by_task(path, wrong_verdict))
    names = columns_of(row)
    for task, sample in samples.items():
        for name, value in names.items():
            if sample.get(name) != value:
                raise DataError(
                    f"{folder / SAMPLES}: {task} is of {name} {sample.get(name)!r}, not {value!r}"
                )
    require_same_problems(folder, samples, verdicts)
    return Run(row, folder, samples, verdicts)


def columns_of(row: Row) -> Fields:
    """Return the columns that say which run a sample is of."""
    names = {"model": row.model, "benchmark": row.benchmark, "arm": row.arm}
    return {**names, "budget": budget_text(row.budget), "seed": row.seed}


def readable(path: Path, read: Callable[[Path], T]) -> T:
    """Return what `read` makes of a file; DataError for whatever is wrong with it."""
    try:
        return read(path)
    except XpflowError as error:
        raise DataError(error.message) from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # not UTF-8, or nested without end
        raise DataError(f"{path}: not JSON lines ({error})") from error


def wrong_sample(row: Fields) -> str:
    """Return the name of a field of a sample that is absent or of another kind, or nothing."""
    tokens = row.get("tokens")
    if name := wrong_nfe(row):
        return name
    if not isinstance(tokens, list) or not all(type(token) is int for token in tokens):
        return "tokens"
    return "" if isinstance(row.get("completion"), str) else "completion"


def wrong_nfe(row: Fields) -> str:
    """Return "nfe" where a sample's executed NFE is absent or no such number, or nothing."""
    nfe = row.get("nfe")
    fine = not isinstance(nfe, bool) and isinstance(nfe, int | float) and 0 <= nfe < MOST_NFE
    return "" if fine else "nfe"


def wrong_verdict(row: Fields) -> str:
    """Return "verdict" where a row has none in words, or nothing."""
    return "" if isinstance(row.get("verdict"), str) else "verdict"
