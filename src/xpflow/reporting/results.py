"""The results of a study as one tidy table: a row per sample of a problem and run.

A report is made of a complete study or not at all: a missing or cut-short file is an error that names it.
With an infrastructure verdict (the grader failed, not the program) there is no table: it is no wrong answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xpflow.artifacts.io import read_jsonl
from xpflow.errors import ArtifactError, DataError, GradingError
from xpflow.protocols.find import UNNAMED
from xpflow.stats.bootstrap import Passed
from xpflow.stats.rates import PassRate, pass_rate
from xpflow.study.config.base import budget_text
from xpflow.study.layout import SAMPLES, VERDICTS, Layout
from xpflow.study.result_files import (
    COSTS,
    REVISIONS,
    Answer,
    Fields,
    columns_of,
    require_same_problems,
    rows_by_answer,
    rows_by_task,
    wrong_nfe,
    wrong_verdict,
)
from xpflow.study.rows import Row

KNOWN = frozenset({"passed", "wrong", "error", "timeout", "memory"})  # verdicts that are counted
COLUMNS = ("model", "benchmark", "arm", "budget", "seed", "task_id", "sample", "verdict", "mode", "measures")
ByAnswer = Mapping[Answer, Fields]
Seen = Callable[[Row, ByAnswer, ByAnswer], None]


def load_results(
    results: Path,
    rows: Iterable[Row],
    protocols: Mapping[str, str] | None = None,
    seen: Seen | None = None,
) -> pd.DataFrame:
    """Read every row of a study from `results`; columns: COLUMNS, COSTS and REVISIONS, budget as text (1/4).

    `protocols` has the protocol of each model: verdicts of another one are refused. `seen` is shown the
    samples and verdicts of each row, by task id, as they are read.

    Raises:
        ArtifactError: a file is missing.
        DataError: samples and verdicts disagree, or a row lacks problems of its benchmark.
        GradingError: a verdict is `infrastructure`.
    """
    expected = protocols or {}
    found = {row: load_row(results, row, expected.get(row.model), seen) for row in sorted(rows)}
    if not found:
        raise DataError(f"the study plans no evaluation under {results}")
    _require_all_problems(results, found)
    numbers = [*COSTS, *REVISIONS]
    frame = pd.DataFrame([one for lines in found.values() for one in lines], columns=[*COLUMNS, *numbers])
    return frame.astype(dict.fromkeys(numbers, float))


def _require_all_problems(results: Path, found: Mapping[Row, list[Fields]]) -> None:
    """Refuse a row that lacks problems of its benchmark: a pass rate is over all of them.

    Which they are the study's problem file says; without one, what its other rows hold.
    """
    layout, asked = Layout.of_results(results), defaultdict[str, set[str]](set)
    for row, lines in found.items():
        asked[row.benchmark] |= {str(line["task_id"]) for line in lines}
    for benchmark, tasks in asked.items():
        if (file := layout.problems(benchmark)).exists():
            tasks.update(rows_by_task(file))
    for row, lines in found.items():
        missing = sorted(asked[row.benchmark] - {str(line["task_id"]) for line in lines})
        if missing:
            raise DataError(
                f"{layout.row(row)}: {len(missing)} of the {len(asked[row.benchmark])} problems of "
                f"{row.benchmark} are missing ({', '.join(missing[:5])}{', ...' * (len(missing) > 5)})",
                hint="a pass rate is over the whole benchmark: decode and grade the rest",
            )


def load_row(results: Path, row: Row, protocol: str | None = None, seen: Seen | None = None) -> list[Fields]:
    """Read the verdicts and executed NFE of one run; DataError if they are of another protocol."""
    folder, key = Layout.of_results(results).row(row), columns_of(row)
    verdicts = read_verdicts(folder / VERDICTS, protocol, row.samples)
    samples = rows_by_answer(folder / SAMPLES, wrong_nfe, row.samples)
    require_same_problems(folder, samples, verdicts)
    if seen is not None:
        seen(row, samples, verdicts)
    return [
        {
            **key,
            "task_id": answer.task,
            "sample": answer.sample,
            "verdict": verdicts[answer]["verdict"],
            "mode": verdicts[answer].get("mode", "strict"),
            "measures": verdicts[answer].get("measures") or {},
            **{name: samples[answer].get(name) for name in (*COSTS, *REVISIONS)},
        }
        for answer in sorted(verdicts)
    ]


def read_verdicts(path: Path, protocol: str | None = None, samples: int = 1) -> dict[Answer, Fields]:
    """Read `samples` verdicts per problem.

    Raises:
        GradingError: one is `infrastructure`. DataError: one is unknown, or of another protocol than
            `protocol` (rows that name none are of the micro models').
    """
    rows = rows_by_answer(path, wrong_verdict, samples)
    require_graded(path, list(rows.values()), protocol)
    return rows


def read_answers(path: Path, samples_per_task: int | None = None) -> dict[str, list[Fields]]:
    """Read the verdicts of every problem's samples, in their order.

    Several of one problem need a field `sample` that tells them apart, or `samples_per_task`: a file that
    holds a problem twice by accident would count it twice.

    Raises:
        DataError: that, or a problem has another number of samples. What `read_verdicts` raises.
    """
    found: dict[str, list[Fields]] = defaultdict(list)
    for number, row in enumerate(read_jsonl(path), start=1):
        task = row.get("task_id")
        if isinstance(task, bool) or not isinstance(task, str | int):
            raise DataError(f"{path}, row {number}: no task_id")
        if name := wrong_verdict(row):
            raise DataError(f"{path}, row {number}: {task} has no {name}, or one of another kind")
        if isinstance(sample := row.get("sample", 0), bool) or not isinstance(sample, str | int):
            raise DataError(
                f"{path}, row {number}: field 'sample' of {task} is {sample!r}",
                hint="a whole number or a name, which tells the samples of a problem apart",
            )
        earlier = found[str(task)]
        if earlier and ("sample" in row) != ("sample" in earlier[0]):
            raise DataError(
                f"{path}, row {number}: some rows of {task} have a field 'sample' and others none",
                hint="were two files put together? number all samples of a problem, or none",
            )
        if any(str(row.get("sample")) == str(other.get("sample")) for other in earlier) and not (
            samples_per_task and "sample" not in row
        ):
            raise DataError(
                f"{path}, row {number}: {task} comes twice",
                hint="several samples per task have a field `sample`, or say --samples-per-task",
            )
        earlier.append(row)
    if not found:
        raise ArtifactError(f"{path} is empty", hint="grade the samples again")
    for task, rows in found.items():
        if samples_per_task and len(rows) != samples_per_task:
            raise DataError(f"{path}: {task} has {len(rows)} verdict(s), not {samples_per_task}")
    require_graded(path, [row for rows in found.values() for row in rows])
    return dict(found)


def require_graded(path: Path, rows: list[Fields], protocol: str | None = None) -> None:
    """Raise GradingError or DataError unless all rows are verdicts on programs, of one protocol if named."""
    found = {str(row.get("protocol") or UNNAMED) for row in rows}
    if protocol is not None and found != {protocol}:
        raise DataError(
            f"{path}: verdicts of protocol {', '.join(sorted(found))}, not of {protocol}",
            hint="decode and grade again with the study's protocol",
        )
    broken = sorted(str(row["task_id"]) for row in rows if row["verdict"] == "infrastructure")
    if broken:
        raise GradingError(
            f"{path}: {len(broken)} problem(s) were not graded (first: {broken[0]})",
            hint="an infrastructure failure is not a wrong answer: grade these samples again",
        )
    if unknown := sorted({row["verdict"] for row in rows} - KNOWN):
        raise DataError(f"{path}: unknown verdict {unknown[0]!r}", hint=f"known: {', '.join(sorted(KNOWN))}")


def read_nfe(path: Path) -> list[tuple[str, float]]:
    """Read the problem and the executed NFE of every sample, in their order."""
    rows = read_jsonl(path)
    for number, row in enumerate(rows, start=1):
        if name := "task_id" if "task_id" not in row else wrong_nfe(row):
            raise DataError(f"{path}, row {number}: no {name}, or one of another kind")
    return [(str(row["task_id"]), float(row["nfe"])) for row in rows]


@dataclass(frozen=True, slots=True)
class CellStats:
    """One table cell: the pass rate over seeds, problems and samples, and the mean executed NFE."""

    rate: PassRate
    nfe: float
    seeds: tuple[int, ...]


class Outcomes:
    """Seeds x problems matrices out of the tidy table, by (model, benchmark, arm, budget).

    Several samples of a problem count by their mean: the unbiased estimate of pass@1.
    """

    def __init__(self, table: pd.DataFrame) -> None:
        groups = table.groupby(["model", "benchmark", "arm", "budget"], sort=True)
        self._modes = table[["benchmark", "task_id", "mode"]].drop_duplicates()
        self._groups: dict[tuple[str, str, str, str], pd.DataFrame] = dict(iter(groups))
        self._passed: dict[tuple[str, str, str, str], Passed] = {}

    def frame(self, model: str, benchmark: str, arm: str, budget: Fraction) -> pd.DataFrame:
        """Return the rows of one table cell, all seeds; DataError when there are none."""
        key = (model, benchmark, arm, budget_text(budget))
        if key not in self._groups:
            raise DataError("no results for " + " / ".join(key), hint="the study does not evaluate this cell")
        return self._groups[key]

    def samples(self, model: str, benchmark: str, arm: str, budget: Fraction) -> int:
        """Return how many samples of each problem one cell has."""
        return int(self.frame(model, benchmark, arm, budget)["sample"].max()) + 1

    def passed(self, model: str, benchmark: str, arm: str, budget: Fraction) -> Passed:
        """Return whether each problem passed, [S, P], or the share of its samples that did.

        bool for one sample, else float64; seeds and task ids sorted. Raises DataError unless every seed has
        all samples of all problems.
        """
        key = (model, benchmark, arm, budget_text(budget))
        if key not in self._passed:
            self._passed[key] = self._matrix(self.frame(model, benchmark, arm, budget), " / ".join(key))
        return self._passed[key]

    def correct(
        self, model: str, benchmark: str, arm: str, budget: Fraction
    ) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
        """Return how many samples of each problem passed, and how many there are, int [S, P] each."""
        key = (model, benchmark, arm, budget)
        samples, passed_SP = self.samples(*key), self.passed(*key)
        return np.rint(passed_SP * samples).astype(int), np.full(passed_SP.shape, samples)

    def mean_of(
        self, column: str, model: str, benchmark: str, arm: str, budget: Fraction
    ) -> NDArray[np.float64]:
        """Return a cost of each problem's samples, their mean, [S, P]: seeds and task ids sorted."""
        frame = self.frame(model, benchmark, arm, budget)
        wide = frame.pivot_table(index="seed", columns="task_id", values=column, aggfunc="mean", dropna=False)
        return np.asarray(wide.sort_index(axis=1).to_numpy(), dtype=np.float64)

    def measure(
        self, name: str, model: str, benchmark: str, arm: str, budget: Fraction
    ) -> NDArray[np.float64]:
        """Return a measure of each problem, its mean over seeds and samples, [P]; empty where none has it."""
        frame = self.frame(model, benchmark, arm, budget)
        values = frame["measures"].map(lambda found: found.get(name, np.nan)).astype(float)
        means = values.groupby(frame["task_id"]).mean().sort_index()
        return np.asarray(means.dropna().to_numpy(), dtype=np.float64)

    @staticmethod
    def _matrix(frame: pd.DataFrame, where: str) -> Passed:
        wide = frame.assign(passed=frame["verdict"] == "passed").pivot(
            index="seed", columns=["task_id", "sample"], values="passed"
        )
        samples = int(frame["sample"].max()) + 1
        if wide.isna().to_numpy().any() or wide.shape[1] % samples:
            raise DataError(f"{where}: the seeds were not run on the same problems")
        found = np.asarray(wide.sort_index(axis=1).to_numpy(), dtype=bool)
        if samples == 1:
            return found
        return np.asarray(found.reshape(len(found), -1, samples).mean(axis=2), dtype=np.float64)

    def tasks(self, model: str, benchmark: str, arm: str, budget: Fraction) -> tuple[str, ...]:
        """Return the problems of one cell, in the order of the columns of `passed`."""
        return tuple(sorted(self.frame(model, benchmark, arm, budget)["task_id"].unique()))

    def shared(self, benchmark: str) -> tuple[list[str], int]:
        """Return the problems of a benchmark graded in the weaker shared mode, and how many it has in all."""
        rows = self._modes[self._modes["benchmark"] == benchmark]
        tasks = rows.loc[rows["mode"] == "shared", "task_id"].unique()
        return sorted(map(str, tasks)), int(rows["task_id"].nunique())

    def stats(
        self, model: str, benchmark: str, arm: str, budget: Fraction, confidence: float = 0.95
    ) -> CellStats:
        """Return the aggregate of one cell."""
        frame = self.frame(model, benchmark, arm, budget)
        samples = self.samples(model, benchmark, arm, budget)
        rate = pass_rate(self.passed(model, benchmark, arm, budget), confidence, samples)
        return CellStats(
            rate, float(frame["nfe"].mean()), tuple(sorted({int(seed) for seed in frame["seed"]}))
        )
