"""What the policy training costs as configured, and what shorter settings would."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from xpflow.planning.hardware import Machine
from xpflow.planning.remedies import apply_changes
from xpflow.planning.stages import Rollouts
from xpflow.planning.study import StudyPlan
from xpflow.study.config.base import budget_text

SHORT_UPDATES = 400  # of config/policy.yaml, which trains the shipped policy
SHORT_BUDGET = Fraction(1, 4)


@dataclass(frozen=True, slots=True)
class PolicyCost:
    """A setting of the policy training: its changes ({}: as configured), forwards, FLOP and seconds on the
    study's processes."""

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
            if isinstance(stage, Rollouts):
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
