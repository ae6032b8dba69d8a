"""P2, self-planning: every step ranks all places of a block together, and masks the least likely of them.

After step j of S, floor(M (1 - j / S)) of M places are masks: those of lowest score. The score of a mask is
log p(its prediction), that of a token eta log p(token): eta 0 never remasks, above 1 remasks more readily.
Source: path planning, arXiv 2502.03540. `signal: top1` repeats the public code, in which a token's score is
that of the newest argmax, so that a confident other prediction protects the token. Between equals tokens
stay, then the lowest index. It means something where outputs at decided places do: on aligned weights.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from xpflow.decoding.axes.general import EVENTS, AxisStepper, Revision
from xpflow.decoding.axes.view import View
from xpflow.decoding.blocks import Block
from xpflow.decoding.entry import Decoder
from xpflow.decoding.tokens import TokenSettings


class PathPlanningSettings(TokenSettings):
    """Settings of `path_planning`."""

    eta: float = Field(
        default=1.0, ge=0.0, le=1000.0, description="Weight of a token's log p: 0, no token is remasked"
    )
    signal: Literal["held", "top1"] = Field(
        default="held", description="A token's p: of the token itself, or of the newest argmax"
    )


class PathPlanning(AxisStepper):
    """The stepper of `path_planning`."""

    settings: PathPlanningSettings
    reads_decided = True

    def commits(self, view: View) -> Tensor:
        """Return the masks that are not among the least likely places."""
        return view.able_BM & ~self._masked_next(view)

    def revises(self, view: View, commit_BM: Tensor) -> Revision:
        """Return the tokens that are."""
        remask_BM = view.decided_BM & self._masked_next(view)
        return Revision(remask_BM, torch.zeros_like(remask_BM))

    def finished(self, state: object, block: Block) -> Tensor:
        """Return no row: a later step may remask a token."""
        return torch.zeros_like(block.steps_B, dtype=torch.bool)

    def _masked_next(self, view: View) -> Tensor:
        """Return the places that are masks after this step."""
        block, steps_B = view.info.block, view.info.block.steps_B
        left_B = (steps_B - view.info.step - 1).clamp(min=0)
        count_B = block.open_BM.sum(-1) * left_B // steps_B  # floor(M (1 - j / S)) in whole numbers
        held_BM = view.support_BM if self.settings.signal == "held" else view.found.confidence
        logs_BM = held_BM.double().clamp(min=torch.finfo(torch.float64).tiny).log() * self.settings.eta
        score_BM = torch.where(view.masked_BM, view.found.confidence.double().clamp(min=0).log(), logs_BM)
        score_BM = score_BM.masked_fill(~block.open_BM, torch.inf)
        # Worst first; among equals masks before tokens, and of these the highest index first.
        backwards_BM = score_BM.flip(-1)
        first_BM = view.masked_BM.flip(-1).to(torch.int8).argsort(dim=-1, descending=True, stable=True)
        second_BM = backwards_BM.gather(1, first_BM).argsort(dim=-1, stable=True)
        order_BM = first_BM.gather(1, second_BM)
        within_BM = torch.arange(order_BM.shape[1], device=order_BM.device) < count_B[:, None]
        return torch.zeros_like(view.masked_BM).scatter_(1, order_BM, within_BM).flip(-1) & block.open_BM


DECODER = Decoder(
    settings=PathPlanningSettings,
    make=PathPlanning,
    about="rank masks and tokens together and mask the least likely",
    title="path planning",
    source="P2, arXiv 2502.03540",
    shown=("eta",),
    events=EVENTS,
    examples=({},),
    only_with={"signal": ("an eta above 0", lambda settings: settings.eta > 0)},
)
