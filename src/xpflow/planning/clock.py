"""How long the jobs of a study take on this machine's CPU, before they run.

What the last run of the study took, rule by rule; where a rule never ran, the plan's arithmetic at a rate by
which the micro study takes the 10 to 12 minutes that were measured on two cores, and the time that a process
needs to start. An estimate to within a factor of two, no more: the display corrects it by what it sees.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from xpflow.errors import ConfigError
from xpflow.planning.assumptions import Assumptions, Machine
from xpflow.planning.study import StudyPlan
from xpflow.planning.texts import Texts, texts_of
from xpflow.study.answers import graded_answers
from xpflow.study.config.root import StudyConfig
from xpflow.study.corpus import (
    corpus_couplings,
    corpus_jobs,
    reported_jobs,
    rows_jobs,
    sampled_jobs,
)
from xpflow.study.probes import policy_trainings, probe_jobs
from xpflow.study.rows import jobs_of, policy_seeds, trace_row, trained_runs
from xpflow.study.text import coupling_jobs, text_jobs
from xpflow.study.times import recorded

FLOP_PER_S = 55e9  # of one job on one core
START_S = 5.0  # Python, torch, a model
LIGHT_S = 1.0  # of a job without a model
DRAW_S = 12.0  # all figures
CPU = Machine("cpu", FLOP_PER_S, 1e12, 1e12)
# The first word of a stage of the plan -> the rule whose jobs it is cut into.
RULES = {
    "selfdata": "answer_prompts",
    "align": "train",
    "solvable": "filter_solvable",
    "policy": "train_policy",
    "probe-policy": "train_probe_policy",
    "probe": "probe",
    "evaluate": "decode_shard",
    "train": "train_corpus",
    "couple": "couple_corpus",
    "measure": "measure_corpus",
    "sample": "sample_corpus",
    "judge": "judge_corpus",
}
GRADING = (
    "filter_solvable",
    "train_policy",
    "train_probe_policy",
    "probe",
)  # jobs that run programs themselves
GRADED = {"decode_shard": "grade_shard", "answer_prompts": "grade_answers"}  # by jobs of their own
# Mean forwards / N of decoders that stop early: 0.14 to 0.41 by decoder, over all settings of the curves of
# the published study `frontier`. A threshold near 1 takes twice that, one of 0.5 half.
EARLY = 0.25
UPDATE_S = 0.02  # a forward of a small model with its backward: calls cost more than arithmetic
SCORES_S = 3.0  # what the oracle says of it


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of a job by rule, the number of a whole study's jobs, and which rules have run before."""

    seconds: Mapping[str, float]
    jobs: Mapping[str, int]
    measured: frozenset[str]

    def study(self, ways: int) -> float:
        """Return the seconds of a whole study, `ways` jobs at a time."""
        return sum(self.seconds[rule] * count for rule, count in self.jobs.items()) / max(1, ways)

    @property
    def source(self) -> str:
        """Where the numbers come from, in words."""
        known = sum(self.seconds[rule] * self.jobs.get(rule, 0) for rule in self.measured)
        return "as the last run took" if known > self.study(1) / 2 else "an estimate"


def times_of(config: StudyConfig, folder: Path) -> Times:
    """Return what jobs take; `folder`: the times of the last run. On a GPU only what has run is known."""
    jobs = _job_counts(config)
    planned = dict(_planned(config, jobs)) if config.runtime.device == "cpu" else {}
    measured = {rule: sum(found) / len(found) for rule, found in recorded(folder).items() if rule in jobs}
    seconds = {**planned, **measured}
    known = {rule: count for rule, count in jobs.items() if rule in seconds}
    return Times(seconds, known, frozenset(measured))


def ways_of(config: StudyConfig) -> int:
    """Return how many jobs run at once on this machine's cores."""
    return max(1, len(os.sched_getaffinity(0)) // config.runtime.threads)


def _job_counts(config: StudyConfig) -> dict[str, int]:
    shards, runs, policies = config.runtime.shards, trained_runs(config), len(policy_seeds(config))
    answers = len({(model, seed) for model, _, seed in runs})
    decodings = len(jobs_of(config))
    trained = policies or len(policy_trainings(config))
    counts = {
        "export_problems": len(config.benchmark_names),
        "answer_prompts": answers * shards,
        "merge_answers": answers,
        "grade_answers": len(graded_answers(config)),
        "train": len(runs),
        "export_training_problems": int(trained > 0),
        "filter_solvable": int(trained > 0),
        "train_policy": policies,
        "train_probe_policy": len(policy_trainings(config)),
        "probe": len(probe_jobs(config)),
        "decode_shard": decodings * shards,
        "grade_shard": decodings * shards,
        "merge": decodings,
        "trace": int(trace_row(config) is not None),
        "train_text": len(text_jobs(config)),
        "couple_text": len(coupling_jobs(config)),
        "pack_corpus": len(rows_jobs(config)),
        "train_corpus": len(corpus_jobs(config)),
        "couple_corpus": len(corpus_couplings(config)),
        "measure_corpus": len(reported_jobs(config)),
        "sample_corpus": len(sampled_jobs(config)),
        "judge_corpus": len(sampled_jobs(config)),
        "prompts": int(bool(config.models)),
        **dict.fromkeys(("tables", "figures"), 1),
    }
    return {rule: count for rule, count in counts.items() if count}


def _planned(config: StudyConfig, jobs: Mapping[str, int]) -> Iterator[tuple[str, float]]:
    """Yield the seconds of a job by rule, as the plan has them."""
    for rule in jobs:
        yield rule, {"trace": START_S, "figures": DRAW_S}.get(rule, LIGHT_S)
    given, work = Assumptions(early=EARLY), dict.fromkeys(RULES.values(), 0.0)
    programs = dict.fromkeys(GRADED, 0)
    try:
        for stage in StudyPlan(config, given).stages():
            rule = RULES[stage.name.partition(" ")[0]]
            work[rule] += sum(one.seconds(CPU) for one in stage.works(1))
            if rule in GRADED:
                programs[rule] += stage.programs
            work[rule] += stage.programs * given.program_s if rule in GRADING else 0
    except ConfigError:
        return  # a model of unknown size
    for rule, seconds in work.items():
        if rule in jobs:
            yield rule, START_S + seconds / jobs[rule]
    for rule, count in programs.items():
        if graders := jobs.get(GRADED[rule]):
            yield GRADED[rule], LIGHT_S + count * given.program_s / config.grading.workers / graders
    if runs := jobs.get("train_text"):
        yield "train_text", START_S + sum(map(_text_seconds, texts_of(config))) / runs


def _text_seconds(one: Texts) -> float:
    """Return the seconds of a run on a world, over all seeds."""
    return one.seeds * (one.updates * one.passes / 3 * UPDATE_S + SCORES_S)
