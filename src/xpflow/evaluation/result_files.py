"""A run of an evaluation as it lies on the disk: samples and verdicts that fit together, or what does not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from xpflow.artifacts.io import read_jsonl
from xpflow.errors import DataError, XpflowError
from xpflow.evaluation.merge import SAMPLES, VERDICTS
from xpflow.study.config.base import budget_text
from xpflow.study.rows import Row

Fields = dict[str, Any]
T = TypeVar("T")
MOST_NFE = 1e9


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


def read_run(results: Path, row: Row) -> Run:
    """Read a row's two files below results/<study>.

    Raises:
        DataError: one is absent, unreadable or empty, has a row of another shape or of another run, or the
            two are not of the same problems.
    """
    folder = results / row.folder
    samples = _by_task(folder / SAMPLES, _wrong_sample)
    verdicts = _by_task(folder / VERDICTS, _wrong_verdict)
    for task, sample in samples.items():
        for name, value in names_of(row).items():
            if sample.get(name) != value:
                raise DataError(
                    f"{folder / SAMPLES}: {task} is of {name} {sample.get(name)!r}, not {value!r}"
                )
    if odd := sorted(samples.keys() ^ verdicts.keys()):
        raise DataError(f"{folder}: samples and verdicts are not of the same problems (first: {odd[0]})")
    return Run(row, folder, samples, verdicts)


def names_of(row: Row) -> Fields:
    """Return the columns of a sample that say which run it is of."""
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


def _by_task(path: Path, wrong: Callable[[Fields], str]) -> dict[str, Fields]:
    found: dict[str, Fields] = {}
    for number, one in enumerate(readable(path, read_jsonl), start=1):
        task = one.get("task_id")
        if not isinstance(task, str) or task in found:
            raise DataError(f"{path}, row {number}: {'no' if task not in found else 'the same'} task_id")
        if name := wrong(one):
            raise DataError(f"{path}, row {number}: {task} has no {name}, or one of another kind")
        found[task] = one
    if not found:
        raise DataError(f"{path} is empty")
    return found


def _wrong_sample(one: Fields) -> str:
    """Return the name of a field of a sample that is absent or of another kind, or nothing."""
    nfe, tokens = one.get("nfe"), one.get("tokens")
    if isinstance(nfe, bool) or not isinstance(nfe, int | float) or not 0 <= nfe < MOST_NFE:
        return "nfe"
    if not isinstance(tokens, list) or not all(type(token) is int for token in tokens):
        return "tokens"
    return "" if isinstance(one.get("completion"), str) else "completion"


def _wrong_verdict(one: Fields) -> str:
    return "" if isinstance(one.get("verdict"), str) else "verdict"
