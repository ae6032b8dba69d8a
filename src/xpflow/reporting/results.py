"""The results of a study as one tidy table: a row per problem and run.

A report is made of a complete study or not at all: a missing or cut-short file is an error that names it,
and an infrastructure verdict (the grader failed, not the program) refuses tabulation instead of counting as
wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xpflow.artifacts.io import read_jsonl
from xpflow.errors import ArtifactError, DataError, GradingError
from xpflow.protocols.find import UNNAMED
from xpflow.reporting.report_spec import Cell
from xpflow.stats.rates import PassRate, pass_rate
from xpflow.study.config.base import budget_text

VERDICTS = frozenset({"passed", "wrong", "error", "timeout", "memory"})
COLUMNS = ("model", "benchmark", "arm", "budget", "seed", "task_id", "verdict", "mode", "nfe")


def load_results(
    results: Path, cells: Iterable[Cell], protocols: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Read every cell of a study from `results`; columns as in COLUMNS, budget as text (1/4).

    `protocols` has the protocol of each model: verdicts of another one are refused. Raises ArtifactError for
    a missing file, DataError when samples and verdicts disagree, GradingError for an infrastructure verdict.
    """
    expected = protocols or {}
    rows = [row for cell in sorted(cells) for row in load_cell(results, cell, expected.get(cell.model))]
    if not rows:
        raise DataError(f"the study plans no evaluation under {results}")
    return pd.DataFrame(rows, columns=list(COLUMNS))


def load_cell(results: Path, cell: Cell, protocol: str | None = None) -> list[dict[str, Any]]:
    """Read the verdicts and executed NFE of one run; DataError if they are of another protocol."""
    folder = cell.folder(results)
    verdicts = read_verdicts(folder / "verdicts.jsonl", protocol)
    modes = _by_task(folder / "verdicts.jsonl", "mode", default="strict")
    nfe = _by_task(folder / "samples.jsonl", "nfe")
    if verdicts.keys() != nfe.keys():
        odd = sorted(verdicts.keys() ^ nfe.keys())[0]
        raise DataError(
            f"{folder}: samples and verdicts are not of the same problems (first: {odd})",
            hint="grade the samples again",
        )
    key = {
        "model": cell.model,
        "benchmark": cell.benchmark,
        "arm": cell.arm,
        "budget": budget_text(cell.budget),
        "seed": cell.seed,
    }
    return [
        {**key, "task_id": task, "verdict": verdicts[task], "mode": modes[task], "nfe": nfe[task]}
        for task in sorted(verdicts)
    ]


def read_verdicts(path: Path, protocol: str | None = None) -> dict[str, str]:
    """Read one verdict per problem; GradingError if any is `infrastructure`, DataError if one is of another
    protocol than `protocol` (rows that name none are of the micro models')."""
    rows = _rows_by_task(path, "verdict")
    found = {str(row.get("protocol") or UNNAMED) for row in rows.values()}
    if protocol is not None and found != {protocol}:
        raise DataError(
            f"{path}: verdicts of protocol {', '.join(sorted(found))}, not of {protocol}",
            hint="decode and grade again with the study's protocol",
        )
    verdicts = {task: str(row["verdict"]) for task, row in rows.items()}
    broken = sorted(task for task, verdict in verdicts.items() if verdict == "infrastructure")
    if broken:
        raise GradingError(
            f"{path}: {len(broken)} problem(s) were not graded (first: {broken[0]})",
            hint="an infrastructure failure is not a wrong answer: grade these samples again",
        )
    unknown = sorted(set(verdicts.values()) - VERDICTS)
    if unknown:
        known = ", ".join(sorted(VERDICTS))
        raise DataError(f"{path}: unknown verdict {unknown[0]!r}", hint=f"known: {known}")
    return verdicts


def read_nfe(path: Path) -> dict[str, float]:
    """Read the executed NFE of every sample."""
    return {task: float(nfe) for task, nfe in _by_task(path, "nfe").items()}


def _by_task(path: Path, field: str, default: str | None = None) -> dict[str, Any]:
    return {task: row.get(field, default) for task, row in _rows_by_task(path, field, default).items()}


def _rows_by_task(path: Path, field: str, default: str | None = None) -> dict[str, dict[str, Any]]:
    rows = read_jsonl(path)
    if not rows:
        raise ArtifactError(f"{path} is empty", hint="delete it and run its stage again")
    values: dict[str, dict[str, Any]] = {}
    for number, row in enumerate(rows, start=1):
        missing = [key for key in ("task_id", field) if key not in row and (key != field or default is None)]
        if missing:
            raise DataError(f"{path}, line {number}: no field {missing[0]!r}")
        if row["task_id"] in values:
            raise DataError(f"{path}, line {number}: {row['task_id']} comes twice")
        values[row["task_id"]] = row
    return values


@dataclass(frozen=True, slots=True)
class CellStats:
    """One table cell: the pass rate over seeds and problems, and the mean executed NFE."""

    rate: PassRate
    nfe: float
    seeds: tuple[int, ...]


class Outcomes:
    """Seeds x problems matrices out of the tidy table, by (model, benchmark, arm, budget)."""

    def __init__(self, table: pd.DataFrame) -> None:
        groups = table.groupby(["model", "benchmark", "arm", "budget"], sort=True)
        self._modes = table[["benchmark", "task_id", "mode"]].drop_duplicates()
        self._groups: dict[tuple[str, str, str, str], pd.DataFrame] = dict(iter(groups))
        self._passed: dict[tuple[str, str, str, str], NDArray[np.bool_]] = {}

    def frame(self, model: str, benchmark: str, arm: str, budget: Fraction) -> pd.DataFrame:
        """Return the rows of one table cell, all seeds; DataError when there are none."""
        key = (model, benchmark, arm, budget_text(budget))
        if key not in self._groups:
            raise DataError("no results for " + " / ".join(key), hint="the study does not evaluate this cell")
        return self._groups[key]

    def passed(self, model: str, benchmark: str, arm: str, budget: Fraction) -> NDArray[np.bool_]:
        """Return bool [S, P], seeds and task ids sorted; DataError unless every seed has all problems."""
        key = (model, benchmark, arm, budget_text(budget))
        if key not in self._passed:
            self._passed[key] = self._matrix(self.frame(model, benchmark, arm, budget), " / ".join(key))
        return self._passed[key]

    @staticmethod
    def _matrix(frame: pd.DataFrame, where: str) -> NDArray[np.bool_]:
        wide = frame.assign(passed=frame["verdict"] == "passed").pivot(
            index="seed", columns="task_id", values="passed"
        )
        if wide.isna().to_numpy().any():
            raise DataError(f"{where}: the seeds were not run on the same problems")
        return np.asarray(wide.to_numpy(), dtype=bool)

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
        rate = pass_rate(self.passed(model, benchmark, arm, budget), confidence)
        return CellStats(
            rate, float(frame["nfe"].mean()), tuple(sorted({int(seed) for seed in frame["seed"]}))
        )
