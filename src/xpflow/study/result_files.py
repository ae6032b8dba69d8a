"""The two files of a run, samples and verdicts: the one place that reads them back, row by row and checked.

Reports take from them what they tabulate, audits whole runs. Verdicts stand beside the samples that they are
of, and both files have a row for each problem, or for each of several samples of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from xpflow.artifacts.io import read_jsonl
from xpflow.errors import ArtifactError, DataError, XpflowError
from xpflow.study.config.base import budget_text
from xpflow.study.layout import SAMPLES, VERDICTS, Layout
from xpflow.study.rows import Row

COSTS = ("nfe", "rows", "positions")  # of samples; older ones have the first alone
REVISIONS = ("revised", "remasked", "flip_flops")  # of samples of decoders that revise
MOST_NFE = 1e9
Fields = dict[str, Any]
T = TypeVar("T")


class Answer(NamedTuple):
    """What a row of a file is about: a problem, and the number of the sample (0 where there is one)."""

    task: str
    sample: int = 0

    def __str__(self) -> str:
        """Return it in words."""
        return f"{self.task}, sample {self.sample}" if self.sample else self.task


@dataclass(frozen=True, slots=True)
class Run:
    """The samples and verdicts of one row of a study, in the order of the samples."""

    row: Row
    folder: Path
    samples: Mapping[Answer, Fields]
    verdicts: Mapping[Answer, Fields]

    @property
    def nfe(self) -> list[float]:
        """The executed NFE of all samples."""
        return [float(one["nfe"]) for one in self.samples.values()]


def rows_by_task(path: Path) -> dict[str, Fields]:
    """Read a JSON-lines file with one row per problem; returns the rows by task id, in their order.

    Raises:
        ArtifactError: the file is absent, empty, or not JSON lines. DataError: a row has no task id, or that
            of an earlier row.
    """
    return {answer.task: row for answer, row in rows_by_answer(path).items()}


def rows_by_answer(
    path: Path, wrong: Callable[[Fields], str] = lambda row: "", samples: int = 1
) -> dict[Answer, Fields]:
    """Read a JSON-lines file with `samples` rows per problem, in their order.

    Args:
        wrong: names the field of a row that is absent or of another kind, if there is one.
    Raises:
        ArtifactError: the file is absent, empty, or not JSON lines. DataError: a row has no task id, that of
            an earlier row, or a sample's number beyond `samples`, or is wrong; or a sample is missing.
    """
    found: dict[Answer, Fields] = {}
    for number, row in enumerate(read_jsonl(path), start=1):
        task = row.get("task_id")
        if isinstance(task, bool) or not isinstance(task, str | int):
            raise DataError(f"{path}, row {number}: no task_id")
        answer = Answer(str(task), sample_number(row, f"{path}, row {number}"))
        if answer in found:
            raise DataError(f"{path}, row {number}: {answer} comes twice")
        if answer.sample >= samples:
            raise DataError(
                f"{path}, row {number}: {answer}, where the study has {samples} of each problem",
                hint="they count from 0: is evaluation.samples_per_task what it was?",
            )
        if name := wrong(row):
            raise DataError(f"{path}, row {number}: {answer} has no {name}, or one of another kind")
        found[answer] = row
    if not found:
        raise ArtifactError(f"{path} is empty", hint="delete it and run its stage again")
    require_all_samples(path, found, samples)
    return found


def sample_number(row: Fields, where: str) -> int:
    """Return the number of a row's sample, 0 where it has none; raises DataError for what is no number."""
    number = row.get("sample", 0)
    if type(number) is not int or number < 0:
        raise DataError(f"{where}: sample {number!r:.60} is no number from 0")
    return number


def require_all_samples(place: Path | str, found: Iterable[Answer], samples: int) -> None:
    """Raise DataError unless every problem has all of its samples."""
    counts = Counter(answer.task for answer in found)
    if few := [task for task, count in counts.items() if count != samples]:
        raise DataError(
            f"{place}: {few[0]} has {counts[few[0]]} of {samples} samples",
            hint="decode and grade all samples of every problem",
        )


def require_same_problems(
    folder: Path, samples: Mapping[Answer, Any], verdicts: Mapping[Answer, Any]
) -> None:
    """Raise DataError unless samples and verdicts are of the same answers to the same problems."""
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
    samples = readable(folder / SAMPLES, lambda path: rows_by_answer(path, wrong_sample, row.samples))
    verdicts = readable(folder / VERDICTS, lambda path: rows_by_answer(path, wrong_verdict, row.samples))
    names = columns_of(row)
    for answer, sample in samples.items():
        for name, value in names.items():
            if sample.get(name) != value:
                raise DataError(
                    f"{folder / SAMPLES}: {answer} is of {name} {sample.get(name)!r}, not {value!r}"
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
