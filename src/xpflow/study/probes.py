"""The probing jobs of a study, and the policies that are trained for them; imports no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from xpflow.errors import ConfigError, nearest
from xpflow.study.config.base import budget_folder, parse_budget
from xpflow.study.config.evaluation import Arm
from xpflow.study.config.noisy import NoisyReader
from xpflow.study.config.probes import ProbePlace, ProbePolicy
from xpflow.study.config.root import StudyConfig
from xpflow.study.config.training import BASE

FLOW, FINISHER = (
    "flow",
    "mask_prediction",
)  # the decoder that is probed, and the one that finishes its answers
SOFT = "soft_tokens"  # the decoder that says how masks are mixed between passes
FULL = Fraction(1)


@dataclass(frozen=True, slots=True, order=True)
class ProbeJob:
    """One process: a place of block `probes` on a benchmark, with one seed."""

    place: str
    model: str
    weights: str
    benchmark: str
    seed: int


def probe_jobs(config: StudyConfig) -> list[ProbeJob]:
    """Return all probing jobs, in the order places, benchmarks, seeds; none without places."""
    return [
        ProbeJob(place.name, place.model, place.weights, benchmark, seed)
        for place in config.probes.places
        for benchmark in probed_benchmarks(config)
        for seed in _seeds(config, place)
    ]


def probed_benchmarks(config: StudyConfig) -> tuple[str, ...]:
    """Return the benchmarks whose problems are probed."""
    return config.probes.benchmarks or config.benchmark_names[:1]


def readers_at(config: StudyConfig, place: str) -> tuple[NoisyReader, ...]:
    """Return the readers of noisy text that have the weights of a place."""
    return tuple(one for one in config.probes.noisy.readers if one.place == place)


def find_probe(config: StudyConfig, place: str, benchmark: str, seed: int) -> ProbeJob:
    """Return one job; raises ConfigError where the study has none."""
    jobs = {(job.place, job.benchmark, job.seed): job for job in probe_jobs(config)}
    if (place, benchmark, seed) not in jobs:
        names = [one.name for one in config.probes.places]
        raise ConfigError(
            f"study {config.study.name} probes no {place} on {benchmark} with seed {seed}",
            hint=nearest(place, names)
            if place not in names
            else "`xpflow config show FILE` lists its probes",
        )
    return jobs[place, benchmark, seed]


def trained_policies(config: StudyConfig) -> tuple[ProbePolicy, ...]:
    """Return the policies that are trained for the probes."""
    asked = config.probes.places and config.probes.mixed
    return tuple(one for one in config.probes.policies if one.train_budget) if asked else ()


def policy_trainings(config: StudyConfig) -> list[tuple[str, int]]:
    """Return (budget as a folder's name, seed) of every policy that is trained for the probes."""
    budgets = dict.fromkeys(one.train_budget for one in trained_policies(config) if one.train_budget)
    return [(budget_folder(budget), seed) for budget in budgets for seed in config.study.seeds]


def with_train_budget(config: StudyConfig, folder: str | None) -> StudyConfig:
    """Return a study whose policy is trained at a budget, given as 1-4 or 1/4; None: as block `grpo` says."""
    if folder is None:
        return config
    block = config.grpo.model_copy(update={"train_budget": parse_budget(folder.replace("-", "/"))})
    return config.model_copy(update={"grpo": block})


def probe_arms(config: StudyConfig) -> Iterator[tuple[Arm, Fraction]]:
    """Yield what the probes decode, as arms with budgets: flow with each policy, and what finishes it."""
    if not config.probes.mixed:
        return
    for one in config.probes.policies:
        yield (
            Arm(name=f"probe-{one.name}", decoder=FLOW, policy=one.policy or "trained"),
            config.probes.budget,
        )
    yield Arm(name="probe-finish", decoder=FINISHER), FULL
    for place in config.probes.places if config.probes.passes else ():
        if place.soft:
            yield Arm(name=f"probe-{place.name}", decoder=SOFT, settings=place.soft), FULL


def _seeds(config: StudyConfig, place: ProbePlace) -> tuple[int, ...]:
    """Return the seeds of a place: weights and policies that are trained have one for each of the study's."""
    several = place.weights != BASE or trained_policies(config)
    return config.study.seeds if several else config.study.seeds[:1]
