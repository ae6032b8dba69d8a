"""The stage `xpflow grpo`: a policy trained on the problems of a file, into a folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from xpflow.artifacts.io import sha256_file, write_jsonl
from xpflow.decoding.policies.learned import LearnedPolicy
from xpflow.errors import DataError
from xpflow.problems import problems_from_file
from xpflow.problems.benchmark import load_benchmark
from xpflow.problems.problem import Problem
from xpflow.runtime.answers import make_grader
from xpflow.runtime.models import model_protocol, open_model
from xpflow.runtime.processes import joined
from xpflow.study.config.root import StudyConfig
from xpflow.training.guard import problems_facts
from xpflow.training.policy.grpo import PolicyTrainer, Row, Validate
from xpflow.training.policy.rollout import RolloutEngine


def train_policy_to_folder(
    study: StudyConfig, model: str | Path, problems_file: Path, seed: int, out: Path, code: str = ""
) -> None:
    """Train a policy on the problems of a file; writes `policy.safetensors` and `log.jsonl` into `out`.

    Called by every process of a job; the leader writes. The state waits in `out`.state. `code` is the
    fingerprint of the stage's code: a saved state must agree with it.
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
        engine = RolloutEngine(frozen, tokenizer, grader, length, block.decoder, protocol, team)
        held = _validation_problems(study)
        validate = _validation(study, engine, held) if block.validate_every else None
        trainer = PolicyTrainer(engine, problems, block, seed, validate, _facts(study, held, code))
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


def _facts(study: StudyConfig, validation: list[Problem], code: str) -> dict[str, Any]:
    """Return what a policy depends on outside of its trainer: the grader's limits, validation, code."""
    facts = {"code": code, "grading": study.grading.model_dump(exclude={"workers", "retries"})}
    if validation:
        facts["validation"] = {**problems_facts(validation), "budget": str(study.reporting.headline_budget)}
    return facts


def _validation_problems(study: StudyConfig) -> list[Problem]:
    """Return the validation problems of the study's benchmarks; none where nothing is validated."""
    block, sources = study.grpo, study.problems.sources.model_dump()
    return [
        problem
        for benchmark in (study.problems.benchmarks if block.validate_every else ())
        for problem in load_benchmark(benchmark.entry, "validation", block.validation_limit, sources)
    ]


def _validation(study: StudyConfig, engine: RolloutEngine, problems: list[Problem]) -> Validate:
    """Return a function that gives a policy's pass rate on validation problems."""
    budget = study.reporting.headline_budget

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
