"""A policy training in a folder: the policy, its log, and the training state beside it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from xpflow.artifacts.io import sha256_file, write_jsonl
from xpflow.decoding.policies.learned import LearnedPolicy
from xpflow.errors import DataError
from xpflow.problems import problems_from_file
from xpflow.problems.benchmark import load_benchmark
from xpflow.runtime.answers import make_grader
from xpflow.runtime.models import model_protocol, open_model
from xpflow.runtime.team import joined
from xpflow.study.config.root import StudyConfig
from xpflow.training.policy.grpo import PolicyTrainer, Row
from xpflow.training.policy.rollout import RolloutEngine


def train_policy_to_folder(
    study: StudyConfig, model: str | Path, problems_file: Path, seed: int, out: Path
) -> None:
    """Train a policy on the problems of a file; writes `policy.safetensors` and `log.jsonl` into `out`.

    Called by every process of a job; the leader writes. The state waits in `out`.state.
    """
    block = study.grpo
    problems = problems_from_file(problems_file)
    if not problems:
        raise DataError(
            f"{problems_file} has no problems", hint="the base model solved none; train on others"
        )
    length, protocol = study.solvable.gen_length, model_protocol(study, block.model)
    with joined(study.runtime.device) as (team, device), make_grader(study, team.local_size) as grader:
        frozen, tokenizer = open_model(study, model, device)
        engine = RolloutEngine(frozen, tokenizer, grader, length, protocol, team)
        trainer = PolicyTrainer(engine, problems, block, seed, _validation(study, engine))
        report = _printer(block.updates) if team.leads else _silent
        rows = trainer.run(report, out.with_name(out.name + ".state"))
    if not team.leads:
        return
    out.mkdir(parents=True, exist_ok=True)
    notes = {
        "seed": seed,
        "settings": block.model_dump(mode="json"),
        "protocol": protocol.label,
        "problems_sha256": sha256_file(problems_file),
    }
    trainer.policy.save(out / "policy.safetensors", **notes)
    write_jsonl(out / "log.jsonl", rows)
    out.with_name(out.name + ".state").unlink(missing_ok=True)


def _validation(study: StudyConfig, engine: RolloutEngine) -> Any:
    """Return a function that gives a policy's pass rate on validation problems of the study's benchmarks."""
    block = study.grpo
    if not block.validate_every:
        return None
    budget = study.reporting.headline_budget
    problems = [
        problem
        for benchmark in study.problems.benchmarks
        for problem in load_benchmark(benchmark.name, "validation", block.validation_limit)
    ]

    def validate(policy: LearnedPolicy) -> float:
        return engine.pass_rate(problems, budget, policy)

    return validate


def _silent(row: Row) -> None:
    """Say nothing: the leader does."""


def _printer(updates: int) -> Any:
    def report(row: Row) -> None:
        shown = " ".join(f"{key} {value:.3f}" for key, value in row.items() if key != "update")
        print(f"grpo update {row['update'] + 1}/{updates}: {shown}", file=sys.stderr, flush=True)

    return report
