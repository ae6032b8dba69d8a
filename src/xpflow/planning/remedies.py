"""Cheaper settings: what would fit where a stage does not, and what shorter policy training would cost."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from xpflow.planning.assumptions import Assumptions, Machine
from xpflow.planning.stages import Aligning, Rollouts, Stage
from xpflow.planning.study import StudyPlan
from xpflow.study.config.base import budget_text
from xpflow.study.config.load import study_from_mapping
from xpflow.study.config.root import StudyConfig

Changes = Mapping[str, Any]
MOST_PROCESSES = 64
FIRST_CHUNK, LEAST_CHUNK = 512, 32


@dataclass(frozen=True, slots=True)
class Remedy:
    """Settings by dotted key that make a study fit, and how they are written."""

    changes: Changes

    @property
    def text(self) -> str:
        """Return "runtime.processes: 2, runtime.vocab_chunk: 512"."""
        return ", ".join(f"{key}: {json.dumps(value)}" for key, value in self.changes.items())


def apply_changes(config: StudyConfig, changes: Changes) -> StudyConfig:
    """Return the study with some settings changed, validated again."""
    data = config.model_dump(mode="json")
    for key, value in changes.items():
        block, _, name = key.partition(".")
        data[block][name] = value
    return study_from_mapping(data)


def misfits(config: StudyConfig, given: Assumptions, machine: Machine) -> list[Stage]:
    """Return the stages that do not fit on the GPUs with the study's own number of processes."""
    processes = config.runtime.processes
    stages = StudyPlan(config, given).stages()
    return [stage for stage in stages if stage.memory(processes).total > machine.usable]


def remedies(config: StudyConfig, given: Assumptions, machine: Machine) -> list[Remedy]:
    """Return what makes the study fit: fewest processes, or settings; else both together; [] if nothing."""
    found = [*_more_processes(config, given, machine)]
    saved = _save(config, given, machine, {})
    if saved is not None:
        found.append(Remedy(saved))
    if found:
        return found
    for processes in _processes(config):
        saved = _save(config, given, machine, {"runtime.processes": processes})
        if saved is not None:
            return [Remedy(saved)]
    return []


def _processes(config: StudyConfig) -> Iterator[int]:
    """Yield larger powers of two that leave every process a sequence of each alignment's batch."""
    block = config.training
    own = [run.batch_size for run in block.runs if run.batch_size is not None]
    most = min(block.full.batch_size, block.lora.batch_size, MOST_PROCESSES, *own)
    processes = 1
    while processes <= most:
        if processes > config.runtime.processes:
            yield processes
        processes *= 2


def _more_processes(config: StudyConfig, given: Assumptions, machine: Machine) -> Iterator[Remedy]:
    for processes in _processes(config):
        changes = {"runtime.processes": processes}
        if not misfits(apply_changes(config, changes), given, machine):
            yield Remedy(changes)
            return


def _save(config: StudyConfig, given: Assumptions, machine: Machine, start: Changes) -> Changes | None:
    """Return changes that make the study fit, beginning with `start`: none that could be left out."""
    changes = dict(start)
    while failing := misfits(now := apply_changes(config, changes), given, machine):
        step = _next_saving(now, failing[0])
        if step is None:
            return None
        changes |= step
    for key in [key for key in changes if key not in start]:
        rest = {name: value for name, value in changes.items() if name != key}
        if not misfits(apply_changes(config, rest), given, machine):
            changes = rest
    return changes


def _next_saving(config: StudyConfig, stage: Stage) -> dict[str, Any] | None:
    """Return the next setting to try for a stage, in the order of what costs least time."""
    if isinstance(stage, Aligning):
        return _alignment_saving(config, stage)
    for key in stage.settings:
        block, _, name = key.partition(".")
        value = getattr(getattr(config, block), name)
        if key == "grpo.rollout_shards":
            rollouts = config.grpo.prompts_per_update * config.grpo.group_size
            return {key: 2 * value} if 2 * value <= rollouts else None
        if value > 1:
            return {key: value // 2}
    return None


def _alignment_saving(config: StudyConfig, stage: Aligning) -> dict[str, Any] | None:
    runtime = config.runtime
    micro = stage.alignment.on(runtime.processes).micro
    if not runtime.vocab_chunk or runtime.vocab_chunk > FIRST_CHUNK:
        return {"runtime.vocab_chunk": FIRST_CHUNK}
    if not runtime.activation_checkpointing:
        return {"runtime.activation_checkpointing": True}
    if micro > 1:
        return {"runtime.micro_batch": micro // 2}
    if runtime.vocab_chunk > LEAST_CHUNK:
        return {"runtime.vocab_chunk": runtime.vocab_chunk // 2}
    return None


SHORT_UPDATES = 400  # of config/policy.yaml, which trains the shipped policy
SHORT_BUDGET = Fraction(1, 4)


@dataclass(frozen=True, slots=True)
class PolicyCost:
    """A setting of the policy training: its changes ({}: as configured), its stage, FLOP and seconds."""

    changes: dict[str, Any]
    stage: Rollouts
    flop: float
    seconds: float


def policy_costs(study: StudyPlan, machine: Machine) -> list[PolicyCost]:
    """Return the cost as configured, with a quarter of the steps, fewer updates, and both; [] without one."""
    found = []
    for changes in _settings(study):
        planned = StudyPlan(apply_changes(study.config, changes), study.given)
        for stage in planned.stages():
            if isinstance(stage, Rollouts) and not stage.probed:
                flop = sum(work.total_flop for work in stage.works(1))
                works = stage.works(study.config.runtime.processes)
                found.append(PolicyCost(changes, stage, flop, sum(work.seconds(machine) for work in works)))
    return found


def _settings(study: StudyPlan) -> Iterator[dict[str, Any]]:
    grpo = study.config.grpo
    fewer = {"grpo.updates": SHORT_UPDATES} if grpo.updates > SHORT_UPDATES else {}
    shorter = {"grpo.train_budget": budget_text(SHORT_BUDGET)} if grpo.train_budget > SHORT_BUDGET else {}
    yield {}
    for changes in (shorter, fewer, {**fewer, **shorter} if fewer and shorter else {}):
        if changes:
            yield changes
