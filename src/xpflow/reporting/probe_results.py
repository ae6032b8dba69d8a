"""The results of the probes, as matrices over seeds and problems.

Legend: S seeds, P problems. A cell is a (place in the grid of t, bin of the confidence).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpflow.artifacts.io import read_jsonl
from xpflow.errors import ArtifactError, DataError
from xpflow.stats.calibration import BINS, dense, expected_calibration_error
from xpflow.study.config import StudyConfig
from xpflow.study.config.probes import ProbeClaim
from xpflow.study.layout import Layout, probe_file_names
from xpflow.study.probes import probe_jobs, probed_benchmarks

Row = dict[str, Any]
Cells = NDArray[np.float64]
SHARES = {
    "read": ("right", "places"),
    "follows": ("kept", "places"),
    "elsewhere": ("beside_right", "beside"),
    "nearest": ("nearest_first", "places"),
}


@dataclass(frozen=True, slots=True)
class Values:
    """A measure of every problem: `[S, P]`, and the tasks of its columns."""

    tasks: tuple[str, ...]
    values_SP: NDArray[np.float64]

    @property
    def mean(self) -> float:
        """Return the mean over seeds and problems."""
        return float(self.values_SP.mean())

    def of(self, tasks: Iterable[str]) -> NDArray[np.float64]:
        """Return the columns of some tasks."""
        places = {task: place for place, task in enumerate(self.tasks)}
        return self.values_SP[:, [places[task] for task in tasks]]


@dataclass(frozen=True)
class Probed:
    """All probes of a place on a benchmark: for each seed the rows of each file."""

    place: str
    benchmark: str
    grid: tuple[float, ...]
    region: float
    validity: tuple[list[Row], ...]
    recovery: tuple[list[Row], ...]
    trajectory: tuple[list[Row], ...]
    likelihood: tuple[list[Row], ...] = ()

    def share(self, what: str, token: str, geometry: str, t: float) -> Values:
        """Return the share of a problem's places of which something holds (a key of SHARES)."""
        right, all_ = SHARES[what]
        rows = [self._states[geometry, token, t][seed] for seed in range(len(self.validity))]
        return _values([{row["task_id"]: row[right] / row[all_] for row in one if row[all_]} for one in rows])

    def mean(self, column: str, token: str, geometry: str, t: float) -> float:
        """Return the mean of a column over all places of all problems; NaN where there is none."""
        rows = [row for one in self._states[geometry, token, t] for row in one if row[column] is not None]
        weight = "beside" if column == "beside_nats" else "places"
        total = sum(row[weight] for row in rows)
        return sum(row[column] * row[weight] for row in rows) / total if total else float("nan")

    def ece(self, token: str, geometry: str, t: float) -> float:
        """Return the expected calibration error of the readings of mixed places."""
        tallies = [dense(row["tally"]) for one in self._states[geometry, token, t] for row in one]
        return expected_calibration_error(sum(tallies, np.zeros((BINS, 3))))

    @cached_property
    def cells(self) -> dict[str, Cells]:
        """Readings and right ones of every cell, `[T, BINS, 2]`, by token; of the first geometry."""
        geometry = next(iter(self._states))[0]
        found: dict[str, Cells] = {}
        for token in ("oracle", "wrong"):
            found[token] = np.zeros((len(self.grid), BINS, 2))
            for place, t in enumerate(self.grid):
                for one in self._states[geometry, token, t]:
                    for row in one:
                        found[token][place] += dense(row["tally"])[:, [0, 2]]
        return found

    def inside(self, kind: str, policy: str) -> Values:
        """Return the share of a problem's visited states in cells that are readable, correctable or unseen.

        A problem whose decode had no state on its way counts as 1 (unseen: 0).
        """
        count_TC, right_TC = np.moveaxis(self.cells["wrong" if kind == "correctable" else "oracle"], -1, 0)
        seen_TC = count_TC > 0
        wanted = ~seen_TC if kind == "unseen" else seen_TC & (right_TC >= self.region * count_TC)
        empty = float(kind != "unseen")

        def share(row: Row) -> float:
            total = sum(n for _, _, n in row["visited"])
            return sum(n for t, c, n in row["visited"] if wanted[t, c]) / total if total else empty

        return self.followed(policy, share)

    def followed(self, policy: str, value: Callable[[Row], float]) -> Values:
        """Return a number of every decode of a policy."""
        return _values(
            [
                {row["task_id"]: value(row) for row in one if row["policy"] == policy}
                for one in self.trajectory
            ]
        )

    def column(self, policy: str, name: str) -> Values:
        """Return a column of every decode of a policy."""
        return self.followed(policy, lambda row: float(row[name]))

    def off_at(self, policy: str, snap: int) -> Values:
        """Return the off-mixture distance of every decode of a policy at a snap, by its number."""
        return self.followed(policy, lambda row: float(row["off_at"][snap]))

    def solved(self, policy: str) -> Values:
        """Return which problems the decodes of a policy solve."""
        return self.column(policy, "passed")

    def recovered(self, policy: str, at: float, snap_at: float, column: str = "passed") -> Values:
        """Return which problems are solved when decodes are snapped after a share of their steps.

        column: or another number of these rows, as "masks".
        """
        wanted = (policy, snap_at) if at else (None, None)
        return _values(
            [
                {
                    row["task_id"]: float(row[column])
                    for row in one
                    if (row["policy"], row["snap_at"]) == wanted and abs(row["at"] - at) < 1e-4
                }
                for one in self.recovery
            ]
        )

    def nats(self, passes: int) -> Values | None:
        """Return the nats of every response after a number of passes; None where it was not read."""
        rows = [[row for row in one if row["passes"] == passes] for one in self.likelihood]
        if not any(rows):
            return None
        return _values([{row["task_id"]: float(row["nats"]) for row in one} for one in rows])

    def measured(self, claim: ProbeClaim, side: str, snap_at: float) -> Values:
        """Return what a claim is about, of its side a or b."""
        policy = getattr(claim, f"policy_{side}")
        if claim.measure == "nats":
            found = self.nats(getattr(claim, f"passes_{side}"))
            assert found is not None  # the configuration sees to it
            return found
        if claim.measure == "recovered":
            return self.recovered(policy, claim.at, snap_at if claim.snap_at is None else claim.snap_at)
        if claim.measure in ("readable", "correctable"):
            return self.inside(claim.measure, policy)
        what, _, token = claim.measure.partition("_")
        geometry = (claim.geometry_b or claim.geometry) if side == "b" else claim.geometry
        return self.share(what, token, geometry, claim.at)

    @cached_property
    def _states(self) -> dict[tuple[str, str, float], list[list[Row]]]:
        """The validity rows by geometry, token and t: a list for each seed."""
        found: dict[tuple[str, str, float], list[list[Row]]] = defaultdict(
            lambda: [[] for _ in self.validity]
        )
        for seed, rows in enumerate(self.validity):
            for row in rows:
                found[row["geometry"], row["token"], row["t"]][seed].append(row)
        return found


def load_probes(config: StudyConfig, results: Path) -> list[Probed]:
    """Read the probes of a study from results/<study>: places, and the benchmarks of each.

    Raises:
        ArtifactError: a file is missing or is not what `xpflow probe` writes.
    """
    layout, block, jobs = Layout.of_results(results), config.probes, probe_jobs(config)
    found = []
    for place in block.places:
        for benchmark in probed_benchmarks(config):
            folders = [
                layout.probe(job.model, job.benchmark, job.place, job.seed)
                for job in jobs
                if (job.place, job.benchmark) == (place.name, benchmark)
            ]
            may_lack = () if block.policies else ("trajectory.jsonl",)
            columns = [
                tuple(_read(folder / name, name in may_lack) for folder in folders)
                for name in probe_file_names(config)
            ]
            found.append(Probed(place.name, benchmark, block.t, block.region, *columns))
    return found


def _read(path: Path, may_be_empty: bool = False) -> list[Row]:
    rows = read_jsonl(path)
    if not rows and may_be_empty:
        return rows
    if not rows or "task_id" not in rows[0]:
        raise ArtifactError(f"{path} holds no probes", hint="`xpflow probe` writes it: run its stage again")
    return rows


def _values(by_seed: Sequence[dict[str, float]]) -> Values:
    """Return values `[S, P]` of the tasks of the first seed; raises DataError where seeds differ in tasks."""
    tasks = tuple(by_seed[0])
    if not tasks or any(set(one) != set(tasks) for one in by_seed):
        raise DataError(
            "the probes are not of the same problems for every seed, or of none",
            hint="run `xpflow probe` again for all of them",
        )
    return Values(tasks, np.array([[one[task] for task in tasks] for one in by_seed], dtype=np.float64))
