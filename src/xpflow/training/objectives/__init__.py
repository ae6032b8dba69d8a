"""The objectives that a model can be trained with: a file each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xpflow.plugins import Table

if TYPE_CHECKING:
    from xpflow.training.objective import Objective

OBJECTIVES: Table[Objective] = Table(
    kind="objective",
    group="xpflow.objectives",
    own={
        "causal": "xpflow.training.objectives.causal",
        "certainty_forcing": "xpflow.training.objectives.certainty_forcing",
        "dsl": "xpflow.training.objectives.dsl",
        "forced": "xpflow.training.objectives.forced",
        "infinite_mask": "xpflow.training.objectives.infinite_mask",
        "masked": "xpflow.training.objectives.masked",
        "mixed_states": "xpflow.training.objectives.mixed_states",
        "on_policy_drafts": "xpflow.training.objectives.on_policy_drafts",
        "order_expressive": "xpflow.training.objectives.order_expressive",
        "pseudo_trajectory": "xpflow.training.objectives.pseudo_trajectory",
        "self_conditioned": "xpflow.training.objectives.self_conditioned",
        "self_distillation": "xpflow.training.objectives.self_distillation",
        "soft_masked": "xpflow.training.objectives.soft_masked",
        "trajectory_consistency": "xpflow.training.objectives.trajectory_consistency",
        "uniform_and_masked": "xpflow.training.objectives.uniform_and_masked",
        "x_prediction": "xpflow.training.objectives.x_prediction",
    },
    accepts="xpflow.training.objective:Objective",
    attribute="OBJECTIVE",
)
