"""Consistency along a trajectory (after CDLM, arXiv 2511.19269): a state says what a later one will say.

The data are the model's own answers and the order in which it decided their tokens. Two states of one
trajectory are drawn, y and a later one y*, in which fewer places are masked. Three terms:

    distill      cross-entropy at y to the answer, at the places that are decided between y and y*
    consistency  KL(student at y* || student at y) where both are masked; the former without a gradient
    mask         cross-entropy at random masks of the same answer, in a forward of its own, as the model was
                 pre-trained

In each block (dense models: in the response, or in a window of `block` places) the masks of y are uniform in
number, those of y* fewer by a uniform number, and may be none. Source: the abstract and summaries of the
method, not its code.

Deviations: the published teacher leaves the distribution of each token as it was decided; ours leaves the
token, which threshold decoding decides where that distribution is nearly certain. y* is any later state of
the block, not its completion, behind which only later blocks are masked: with block-causal models nothing
would be left to compare. The weights of the terms were not found: they are settings, 1 each. The published
student becomes block-causal on the way; ours keeps its architecture.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from pydantic import Field

from xpflow.study.config.base import Block
from xpflow.training.corruption import Corrupted, draw_masks, laid_out
from xpflow.training.examples import Batch
from xpflow.training.objective import Cost, Loss, Objective, Term
from xpflow.training.states import (
    deciding_keys,
    draw_counts,
    draw_noise,
    draw_window,
    grouped,
    rank_within,
    state_of,
)
from xpflow.training.student import Prediction, Student


class TrajectoryConsistencySettings(Block):
    """Settings of `trajectory_consistency`."""

    distill_weight: float = Field(default=1.0, ge=0, description="Weight of what is decided between them")
    consistency_weight: float = Field(default=1.0, ge=0, description="Weight of what is masked in both")
    mask_weight: float = Field(default=1.0, ge=0, description="Weight of ordinary masks; 0: not asked")
    trajectory: Literal["steps", "random"] = Field(
        default="steps", description="Whose order: the teacher's, which the data holds, or a random one"
    )
    block: int = Field(default=32, ge=0, description="Places of a dense model's block; 0: the response")


@dataclass(frozen=True, slots=True)
class Outputs:
    """What the student says at y, at y* and at ordinary masks (None: not asked)."""

    now: Prediction
    later: Prediction
    masked: Prediction | None


class TrajectoryConsistency(Loss):
    """Distillation, consistency and ordinary masks."""

    def __init__(self, settings: TrajectoryConsistencySettings) -> None:
        self.settings, self.needs_steps = settings, settings.trajectory == "steps"

    def corrupt(self, batch: Batch, model: Any, generator: torch.Generator) -> Corrupted:
        """Return y, with the masks of y* and of the third forward; raises ConfigError without an order."""
        clean = laid_out(batch, model)
        window = draw_window(clean, model, self.settings.block, generator)
        keys_BK = deciding_keys(batch, clean, self.settings.trajectory, generator)
        count_BK = draw_counts(window.inside_BK, model, generator)
        total_GW = grouped(window.inside_BK, model).sum(-1, keepdim=True)
        share_GW = torch.rand(total_GW.shape, generator=generator)
        left_GW = (share_GW * grouped(count_BK, model)).long()  # 0 .. count - 1
        from_end_BK = total_GW - 1 - grouped(rank_within(keys_BK, window.inside_BK, model), model)
        now_GW, later_GW = from_end_BK < grouped(count_BK, model), from_end_BK < left_GW
        now_BK = now_GW.view_as(count_BK) & window.inside_BK
        draws = {
            "noise_BK": draw_noise(clean, model, generator),
            "later_BK": window.later_BK,
            "next_BK": later_GW.view_as(count_BK) & window.inside_BK,
            "plain_BK": draw_masks(clean, model, generator),
        }
        return state_of(clean.reading(clean.target_BK, clean.mask_BK, **draws), now_BK)

    def forward(self, student: Student, batch: Corrupted) -> Outputs:
        """Predict at y, at y* without a gradient, and at ordinary masks of the whole response."""
        with torch.no_grad():
            later = student.predict(state_of(batch, batch.draws["next_BK"]))
        masked = None
        if self.settings.mask_weight:
            plain_BK = batch.draws["plain_BK"]
            ids_BK = torch.where(plain_BK, batch.draws["noise_BK"], batch.target_BK)
            masked = student.predict(batch.reading(ids_BK, plain_BK))
        return Outputs(student.predict(batch), later, masked)

    def terms(self, outputs: Outputs, batch: Corrupted) -> Mapping[str, Term]:
        """Return the three terms."""
        settings, next_BK = self.settings, batch.draws["next_BK"]
        found = outputs.now.terms(batch.target_BK, ["ce", "kl"], outputs.later)
        terms = {
            "distill": Term(found["ce"], batch.mask_BK & ~next_BK, settings.distill_weight),
            "consistency": Term(found["kl"], next_BK, settings.consistency_weight),
        }
        if outputs.masked is not None:
            ce_BK = outputs.masked.terms(batch.target_BK, ["ce"])["ce"]
            terms["mask"] = Term(ce_BK, batch.draws["plain_BK"], settings.mask_weight)
        return terms


def cost(settings: TrajectoryConsistencySettings) -> Cost:
    """Return the forwards: y, ordinary masks where they count, and y* for free; KL holds both softmaxes."""
    plain = settings.mask_weight > 0
    return Cost(trained=1 + plain, free=1, logit_bytes=16 + 12 * plain)


OBJECTIVE = Objective(
    settings=TrajectoryConsistencySettings,
    make=TrajectoryConsistency,
    about="a state predicts what a later one of the same trajectory does (after CDLM)",
    examples=({}, {"trajectory": "random", "block": 4, "mask_weight": 0}),
    cost=cost,
)
