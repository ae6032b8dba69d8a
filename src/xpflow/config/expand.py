"""From a configuration to the rows of its evaluation: what the Snakefile asks for, and in which folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from pydantic import BaseModel

from xpflow.config.block import budget_folder
from xpflow.config.evaluation import Arm
from xpflow.config.root import StudyConfig


@dataclass(frozen=True, slots=True, order=True)
class Row:
    """One decoding of a whole benchmark: one samples file and one verdicts file."""

    model: str
    benchmark: str
    arm: str
    budget: Fraction
    seed: int

    @property
    def folder(self) -> str:
        """Path below results/<study>/."""
        return f"{self.model}/eval/{self.benchmark}/{self.arm}/{budget_folder(self.budget)}/seed{self.seed}"


def expand(config: StudyConfig) -> list[Row]:
    """Return every row of the evaluation, in the order models, benchmarks, arms, budgets, seeds."""
    return [
        Row(model, benchmark, arm.name, budget, seed)
        for model in config.model_names
        for benchmark in config.benchmark_names
        for arm in config.evaluation.arms
        if _runs_on(arm, model, benchmark)
        for budget in arm.budgets or config.evaluation.budgets
        for seed in seeds_of(config, arm)
    ]


def seeds_of(config: StudyConfig, arm: Arm) -> tuple[int, ...]:
    """Return the seeds that an arm is run with."""
    return config.study.seeds if arm.seeds == "all" else config.study.seeds[:1]


def find_arm(config: StudyConfig, name: str) -> Arm:
    """Return the arm of that name; raises KeyError."""
    return {arm.name: arm for arm in config.evaluation.arms}[name]


def aligned_runs(config: StudyConfig) -> list[tuple[str, str, int]]:
    """Return (model, variant, seed) of every alignment that a row or the policy training needs, in order."""
    rows = {(row.model, find_arm(config, row.arm).weights, row.seed) for row in expand(config)}
    rows |= {(config.grpo.model, config.grpo.variant, seed) for seed in policy_seeds(config)}
    order = [
        (m, v.name, s)
        for m in config.model_names
        for v in config.alignment.variants
        for s in config.study.seeds
    ]
    return [run for run in order if run in rows]


def policy_seeds(config: StudyConfig) -> list[int]:
    """Return the seeds for which the study trains a policy of its own: none when no arm uses it."""
    return sorted(set(_policy_seeds(config)))


def digest(*blocks: BaseModel) -> str:
    """Return 12 hexadecimal digits that change when a value of the blocks changes; for a rule's `params`."""
    text = json.dumps([block.model_dump(mode="json") for block in blocks], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _policy_seeds(config: StudyConfig) -> Iterator[int]:
    for arm in config.evaluation.arms:
        if arm.policy == "trained":
            yield from seeds_of(config, arm)


def _runs_on(arm: Arm, model: str, benchmark: str) -> bool:
    return (not arm.models or model in arm.models) and (not arm.benchmarks or benchmark in arm.benchmarks)
