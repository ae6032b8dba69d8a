"""How noisy text is read: the rows of all probing jobs as values of problems, and the registered claims.

A measure is a matrix over seeds and problems with values in [0, 1]: `net` is (net gain + 1) / 2 there, so
that intervals that know these bounds hold for it. Legend: S seeds, P problems.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpflow.artifacts.io import read_jsonl
from xpflow.errors import ArtifactError, DataError
from xpflow.reporting.contrasts import Judgement
from xpflow.reporting.estimates import judged
from xpflow.reporting.report_spec import ReportPlan
from xpflow.stats.bootstrap import Estimate, mean_lead, paired_lead
from xpflow.stats.intervals import Interval
from xpflow.stats.paired import holm
from xpflow.study.config import StudyConfig
from xpflow.study.config.noisy import NoisyClaim, NoisyReader
from xpflow.study.layout import NOISY_FILES, Layout
from xpflow.study.probes import probe_jobs, probed_benchmarks

Row = dict[str, Any]
Key = tuple[str, float]  # kind and share of wrong tokens
RATES = {"fixed": ("fixed", "corrupted"), "kept": ("kept", "clean")}
Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Shares:
    """A measure of every problem, `[S, P]` in [0, 1], and the tasks of its columns."""

    tasks: tuple[str, ...]
    values_SP: Matrix

    @property
    def mean(self) -> float:
        """Return the mean over seeds and problems."""
        return float(self.values_SP.mean())

    def of(self, tasks: Sequence[str]) -> Matrix:
        """Return the columns of some tasks."""
        places = {task: place for place, task in enumerate(self.tasks)}
        return self.values_SP[:, [places[task] for task in tasks]]


@dataclass(frozen=True, slots=True)
class Read:
    """A reader on a benchmark: the rows of each seed, and what was chosen for it."""

    reader: NoisyReader
    benchmark: str
    rows: tuple[list[Row], ...]
    choices: tuple[list[Row], ...]

    @property
    def settings(self) -> tuple[float | None, ...]:
        """Return the chosen candidate of each seed."""
        return tuple(next(row["candidate"] for row in one if row["chosen"]) for one in self.choices)

    def measure(self, name: str, kind: str, share: float) -> Shares:
        """Return fixed, kept, net or context of every problem at a share of wrong tokens."""
        asked = "context" if name == "context" else "tokens"
        found = [
            {
                row["task_id"]: _value(name, row)
                for row in one
                if row["asked"] == asked and row["share"] == share and row.get("kind", kind) == kind
            }
            for one in self.rows
        ]
        return shares_of(found)


def shares_of(by_seed: Sequence[dict[str, float | None]]) -> Shares:
    """Return values `[S, P]` of the tasks that have one under every seed.

    Raises:
        DataError: seeds differ in tasks, or no task is left.
    """
    if any(set(one) != set(by_seed[0]) for one in by_seed):
        raise DataError("the probes are not of the same problems for every seed", hint="run them again")
    tasks = tuple(task for task in by_seed[0] if all(one[task] is not None for one in by_seed))
    if not tasks:
        raise DataError("no problem has such places", hint="probe more problems, or other shares")
    return Shares(tasks, np.array([[one[task] for task in tasks] for one in by_seed], dtype=np.float64))


def load_noisy(config: StudyConfig, results: Path) -> list[Read]:
    """Read what all readers read: readers in their order, and the benchmarks of each.

    Raises:
        ArtifactError: a file is missing or is not what `xpflow probe` writes.
    """
    found = []
    for reader in config.probes.noisy.readers:
        for benchmark in probed_benchmarks(config):
            rows, choices = (_files(config, results, reader.place, benchmark, name) for name in NOISY_FILES)
            mine = [
                [[row for row in one if row["reader"] == reader.name] for one in all_]
                for all_ in (rows, choices)
            ]
            found.append(Read(reader, benchmark, *map(tuple, mine)))
    return found


def load_in_noise(config: StudyConfig, results: Path) -> dict[tuple[str, str], dict[float, Shares]]:
    """Return by (place, benchmark) the accuracy at each s / s_max of every problem."""
    found = {}
    for place in config.probes.places:
        for benchmark in probed_benchmarks(config):
            rows = _files(config, results, place.name, benchmark, NOISY_FILES[0])
            found[place.name, benchmark] = {
                ratio: shares_of(
                    [
                        {
                            row["task_id"]: row["right"] / row["places"]
                            for row in one
                            if row["asked"] == "snr" and row["ratio"] == ratio
                        }
                        for one in rows
                    ]
                )
                for ratio in config.probes.noisy.ratios
            }
    return found


@dataclass(frozen=True, slots=True)
class JudgedNoisy:
    """A claim on a benchmark: both sides, what a leads by (all in the measure's units), Holm's p-value."""

    claim: NoisyClaim
    benchmark: str
    a: float
    b: float
    difference: Estimate
    holm_p: float
    confidence: float

    @property
    def judgement(self) -> Judgement:
        """The claim, judged from its interval and Holm's p-value."""
        return judged(self.difference, self.claim.direction, self.holm_p, self.confidence)


def judged_noisy(config: StudyConfig, plan: ReportPlan, reads: Sequence[Read]) -> list[JudgedNoisy]:
    """Return the registered claims on every benchmark, corrected by Holm over all of them."""
    at = {(one.reader.name, one.benchmark): one for one in reads}
    found = []
    for claim in config.probes.noisy.preregistration:
        for benchmark in probed_benchmarks(config):
            a = _side(config, claim, at[claim.reader_a, benchmark])
            b = _side(config, claim, at[claim.reader_b, benchmark]) if claim.reader_b else None
            found.append((claim, benchmark, *_compared(plan, claim, a, b)))
    corrected = holm([one[-1].p_value for one in found])
    return [
        JudgedNoisy(*one, holm_p=p, confidence=plan.confidence)
        for one, p in zip(found, corrected, strict=True)
    ]


def _side(config: StudyConfig, claim: NoisyClaim, read: Read) -> Shares:
    """Return a claim's measure of a reader; the mean over the shares where the claim names none."""
    block = config.probes.noisy
    grid = block.context if claim.measure == "context" else block.shares
    wanted = grid if claim.share is None else (claim.share,)
    kind = "uniform" if claim.measure == "context" else claim.kind
    parts = [read.measure(claim.measure, kind, share) for share in wanted]
    tasks = tuple(task for task in parts[0].tasks if all(task in set(one.tasks) for one in parts))
    return Shares(tasks, np.mean([one.of(tasks) for one in parts], axis=0))


def _compared(
    plan: ReportPlan, claim: NoisyClaim, a: Shares, b: Shares | None
) -> tuple[float, float, Estimate]:
    """Return both sides and a's lead; values of `net` go back from [0, 1] to shares of all tokens."""
    if b is None:
        assert claim.least is not None
        return a.mean, claim.least, _over(plan, a.values_SP, claim.least)
    tasks = [task for task in a.tasks if task in set(b.tasks)]
    a_SP, b_SP = a.of(tasks), b.of(tasks)
    lead = paired_lead(
        a_SP,
        b_SP,
        claim.times,
        resamples=plan.resamples,
        seed=plan.bootstrap_seed,
        confidence=plan.confidence,
    )
    if claim.measure != "net":
        return float(a_SP.mean()), float(b_SP.mean()), lead
    wide = Interval(2 * lead.interval.low, 2 * lead.interval.high)
    twice = Estimate(2 * lead.value, wide, lead.p_value, lead.n_seeds, lead.n_problems)
    return 2 * float(a_SP.mean()) - 1, 2 * float(b_SP.mean()) - 1, twice


def _over(plan: ReportPlan, a_SP: Matrix, least: float) -> Estimate:
    """Return a's lead over a number; where all problems have one value, as if the number were a reader's."""
    if np.ptp(a_SP.mean(axis=0)) > 1e-9:
        return mean_lead(a_SP, least, confidence=plan.confidence)
    b_SP = np.full((1, a_SP.shape[1]), least)
    return paired_lead(
        a_SP,
        b_SP,
        1.0,
        resamples=plan.resamples,
        seed=plan.bootstrap_seed,
        confidence=plan.confidence,
    )


def _value(name: str, row: Row) -> float | None:
    if name == "context":
        return float(row["right"] / row["places"]) if row["places"] else None
    if name == "net":
        total = row["corrupted"] + row["clean"]
        return float((1 + (row["fixed"] - (row["clean"] - row["kept"])) / total) / 2)
    part, whole = RATES[name]
    return float(row[part] / row[whole]) if row[whole] else None


def _files(
    config: StudyConfig, results: Path, place: str, benchmark: str, name: str
) -> tuple[list[Row], ...]:
    """Return a file's rows for each seed of a place."""
    layout = Layout.of_results(results)
    jobs = [job for job in probe_jobs(config) if (job.place, job.benchmark) == (place, benchmark)]
    paths = [layout.probe(job.model, job.benchmark, job.place, job.seed) / name for job in jobs]
    return tuple(_rows(path) for path in paths)


def _rows(path: Path) -> list[Row]:
    rows = read_jsonl(path)
    if not rows or "reader" not in rows[0]:
        raise ArtifactError(f"{path} holds no readings", hint="`xpflow probe` writes it: run its stage again")
    return rows
