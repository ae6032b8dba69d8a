"""The rows of an evaluation, and the jobs that decode them.

A job is one process for all rows that share model, weights and seed.
Starting Python with torch and loading a model costs seconds, decoding a row of the micro study about as much;
so a job decodes all arms and budgets of its weights on one benchmark. Arms with a trained policy are jobs of
their own, so that the others need not wait for the policy.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product
from typing import NamedTuple

from xpflow.errors import ConfigError
from xpflow.study.config.base import budget_folder, budget_text
from xpflow.study.config.evaluation import Arm
from xpflow.study.config.root import StudyConfig
from xpflow.study.config.training import BASE
from xpflow.study.probes import policy_trainings, probe_jobs


class Cell(NamedTuple):
    """What a number of a table is of: an arm at a budget, on a model and a benchmark, over all seeds."""

    model: str
    benchmark: str
    arm: str
    budget: Fraction

    @property
    def text(self) -> str:
        """The cell as the command line takes it: MODEL,BENCHMARK,ARM,BUDGET."""
        return ",".join((self.model, self.benchmark, self.arm, budget_text(self.budget)))


@dataclass(frozen=True, slots=True, order=True)
class Row:
    """One decoding of a whole benchmark: one samples file and one verdicts file.

    samples: how many of each problem; no part of the row's identity.
    """

    model: str
    benchmark: str
    arm: str
    budget: Fraction
    seed: int
    samples: int = field(default=1, compare=False)

    @property
    def cell(self) -> Cell:
        """The cell of the tables that the row is counted in."""
        return Cell(self.model, self.benchmark, self.arm, self.budget)


def expand(config: StudyConfig) -> list[Row]:
    """Return every row of the evaluation, in the order models, benchmarks, arms, budgets, seeds."""
    return [
        Row(model, benchmark, arm.name, budget, seed, samples_of(config, arm))
        for model in config.model_names
        for benchmark in config.benchmark_names
        for arm in config.arms
        if _runs_on(arm, model, benchmark)
        for budget in arm.budgets or config.evaluation.budgets
        for seed in seeds_of(config, arm)
    ]


def seeds_of(config: StudyConfig, arm: Arm) -> tuple[int, ...]:
    """Return the seeds that an arm is run with."""
    return config.study.seeds if arm.seeds == "all" else config.study.seeds[:1]


def samples_of(config: StudyConfig, arm: Arm) -> int:
    """Return how many samples of each problem an arm takes."""
    return arm.samples_per_task or config.evaluation.samples_per_task


def takes_several(config: StudyConfig) -> bool:
    """Return whether an arm takes several samples of each problem."""
    return any(samples_of(config, arm) > 1 for arm in config.arms)


def trained_runs(config: StudyConfig) -> list[tuple[str, str, int]]:
    """Return (model, run, seed) of every training that something else in the study needs, in order."""
    needed = {(row.model, config.arm(row.arm).weights, row.seed) for row in expand(config)}
    seeds = {*policy_seeds(config), *(seed for _, seed in policy_trainings(config))}
    needed |= {(config.grpo.model, config.grpo.weights, seed) for seed in seeds}
    needed |= {(job.model, job.weights, job.seed) for job in probe_jobs(config)}
    for run in reversed(config.training.runs):  # a run starts from one above it
        needed |= {(model, run.start, seed) for model, name, seed in needed if name == run.name}
    order = [
        (model, run.name, seed)
        for model in config.model_names
        for run in config.training.runs
        for seed in config.study.seeds
    ]
    return [one for one in order if one in needed]


def policy_seeds(config: StudyConfig) -> list[int]:
    """Return the seeds for which the study trains a policy of its own: none when no arm uses it."""
    return sorted(set(_policy_seeds(config)))


def _policy_seeds(config: StudyConfig) -> Iterator[int]:
    for arm in config.arms:
        if arm.policy == "trained":
            yield from seeds_of(config, arm)


def _runs_on(arm: Arm, model: str, benchmark: str) -> bool:
    return (not arm.models or model in arm.models) and (not arm.benchmarks or benchmark in arm.benchmarks)


@dataclass(frozen=True, slots=True, order=True)
class Job:
    """One decoding process; `trained` says whether its arms use a trained policy (the others do not)."""

    model: str
    benchmark: str
    weights: str
    trained: bool
    seed: int
    rows: tuple[Row, ...]

    @property
    def kind(self) -> str:
        """Return weights and policy as one word, for folders: "paper", or "paper+trained"."""
        return kind_of(self.weights, self.trained)

    @property
    def cells(self) -> tuple[str, ...]:
        """Return arm/budget of each row, as in the folders of the results."""
        return tuple(f"{row.arm}/{budget_folder(row.budget)}" for row in self.rows)


@dataclass(frozen=True, slots=True)
class JobGroup:
    """Jobs with the same arms and budgets; their models, benchmarks and seeds combine freely."""

    name: str
    kind: str
    cells: tuple[str, ...]
    models: tuple[str, ...]
    benchmarks: tuple[str, ...]
    seeds: tuple[int, ...]


def jobs_of(config: StudyConfig) -> list[Job]:
    """Return all decoding jobs of a study, in the order of the rows."""
    rows: dict[tuple[str, str, str, bool, int], list[Row]] = defaultdict(list)
    for row in expand(config):
        arm = config.arm(row.arm)
        rows[row.model, row.benchmark, arm.weights, arm.policy == "trained", row.seed].append(row)
    return [Job(*key, tuple(found)) for key, found in rows.items()]


def kind_of(weights: str, trained: bool) -> str:
    """Return weights and policy as one word, for folders; no name of a run has a plus."""
    return f"{weights}+trained" if trained else weights


def find_job(config: StudyConfig, model: str, benchmark: str, weights: str, trained: bool, seed: int) -> Job:
    """Return one job; raises ConfigError when the study has no arm for it."""
    wanted = (model, benchmark, weights, trained, seed)
    for job in jobs_of(config):
        if (job.model, job.benchmark, job.weights, job.trained, job.seed) == wanted:
            return job
    raise ConfigError(
        f"study {config.study.name} decodes nothing with model {model}, benchmark {benchmark}, "
        f"{weights} weights, {'a' if trained else 'no'} trained policy and seed {seed}",
        hint="`xpflow config show FILE` lists its arms",
    )


def job_groups(config: StudyConfig) -> list[JobGroup]:
    """Return the jobs by kind and cells: as few groups as their models, benchmarks and seeds allow."""
    by_cells: dict[tuple[str, tuple[str, ...]], list[Job]] = defaultdict(list)
    for job in jobs_of(config):
        by_cells[job.kind, job.cells].append(job)
    groups: list[JobGroup] = []
    for (kind, cells), jobs in by_cells.items():
        for part in _products(jobs):
            number = sum(group.kind == kind for group in groups) + 1
            name = kind.replace("-", "_").replace("+", "__") + (f"_{number}" if number > 1 else "")
            groups.append(JobGroup(name, kind, cells, *_sides(part)))
    return groups


def trace_row(config: StudyConfig) -> Row | None:
    """Return the row of the decoding picture: first model and benchmark, headline budget; None without."""
    first = (config.model_names[:1], config.benchmark_names[:1])
    rows = [
        row
        for row in expand(config)
        if ((row.model,), (row.benchmark,)) == first
        and (
            row.arm == config.reporting.trace_arm
            if config.reporting.trace_arm
            else config.arm(row.arm).weights != BASE and config.arm(row.arm).policy != "none"
        )
    ]
    return min(rows, key=lambda row: (row.budget != config.reporting.headline_budget, row.seed), default=None)


def _products(jobs: list[Job]) -> Iterable[list[Job]]:
    models, benchmarks, seeds = _sides(jobs)
    places = {(job.model, job.benchmark, job.seed) for job in jobs}
    if places == set(product(models, benchmarks, seeds)):
        return [jobs]
    by_place: dict[tuple[str, str], list[Job]] = defaultdict(list)
    for job in jobs:
        by_place[job.model, job.benchmark].append(job)
    return by_place.values()


def _sides(jobs: list[Job]) -> tuple[tuple[str, ...], tuple[str, ...], tuple[int, ...]]:
    return (
        tuple(dict.fromkeys(job.model for job in jobs)),
        tuple(dict.fromkeys(job.benchmark for job in jobs)),
        tuple(dict.fromkeys(job.seed for job in jobs)),
    )
