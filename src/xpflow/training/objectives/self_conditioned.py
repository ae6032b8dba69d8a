"""Self-conditioning: masks hold the model's own predictions in some rows, and the truth is learned over them.

A control of DSL-LLaDA (arXiv 2606.01024, "token to token" in its public code): a hard-masked sequence is read
once without a gradient; in a share of the rows the second forward sees the best token at every mask. The loss
is cross-entropy at these places. It is mask prediction where none is drawn.

Deviation: which rows are conditioned is drawn for each row, not for each batch.
"""

from __future__ import annotations

from typing import Any

import torch
from pydantic import Field

from xpflow.study.config.base import Block
from xpflow.training.corruption import Corrupted, masked
from xpflow.training.examples import Batch
from xpflow.training.objective import Cost, Objective
from xpflow.training.objectives.masked import MaskedLoss
from xpflow.training.student import Prediction, Student


class SelfConditionedSettings(Block):
    """Settings of `self_conditioned`."""

    share: float = Field(default=0.5, ge=0, le=1, description="Share of rows that hold predictions for masks")


class SelfConditioned(MaskedLoss):
    """Cross-entropy at places that hold masks or the model's own predictions."""

    everywhere = True

    def __init__(self, settings: SelfConditionedSettings) -> None:
        self.settings = settings

    def corrupt(self, batch: Batch, model: Any, generator: torch.Generator) -> Corrupted:
        """Return hard-masked sequences, and which rows are conditioned."""
        found = masked(batch, model, generator)
        own_B = torch.rand(len(batch.prompt_B), generator=generator) < self.settings.share
        return found.reading(found.ids_BK, found.mask_BK, own_B=own_B)

    def forward(self, student: Student, batch: Corrupted) -> Prediction:
        """Predict from masks, or from what a first forward says in their place."""
        if not self.settings.share:
            return student.predict(batch)
        with torch.no_grad():  # in all rows: processes must ask a sharded model equally often
            best_BK = student.predict(batch).each(lambda logits: logits.argmax(-1))
        own_BK = batch.mask_BK & batch.draws["own_B"][:, None]
        return student.predict(batch.reading(torch.where(own_BK, best_BK, batch.ids_BK), batch.mask_BK))


OBJECTIVE = Objective(
    settings=SelfConditionedSettings,
    make=SelfConditioned,
    about="the truth is learned over the model's own predictions (a control of DSL-LLaDA)",
    examples=({}, {"share": 1.0}),
    cost=lambda settings: Cost(free=int(settings.share > 0)),
)
