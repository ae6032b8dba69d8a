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
        "dsl": "xpflow.training.objectives.dsl",
        "infinite_mask": "xpflow.training.objectives.infinite_mask",
        "masked": "xpflow.training.objectives.masked",
        "order_expressive": "xpflow.training.objectives.order_expressive",
        "self_conditioned": "xpflow.training.objectives.self_conditioned",
        "self_distillation": "xpflow.training.objectives.self_distillation",
        "soft_masked": "xpflow.training.objectives.soft_masked",
        "uniform_and_masked": "xpflow.training.objectives.uniform_and_masked",
        "x_prediction": "xpflow.training.objectives.x_prediction",
    },
    accepts="xpflow.training.objective:Objective",
    attribute="OBJECTIVE",
)
