"""Token-to-mask remasking (T2M): suspicious tokens become masks again, where LLaDA2.1 would replace them.

Suspicious, by `trigger`: low_prob, the held token's probability is below the bound; t2t, another argmax is
more confident than it; drop, the held token's probability fell by more since the last forward. At most a
share of the tokens in one forward, the worst first (one at least), and at most `per_position` times at one
place. Source: arXiv 2604.18738. Its text and its code differ in the bound of low_prob (0.1, 0.5) and in the
times per place (3, 5): the text's are the defaults. Tokens that this forward committed are looked at in the
next one only.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from xpflow.decoding.axes.commits import first_ranks
from xpflow.decoding.axes.general import EVENTS, Revision
from xpflow.decoding.axes.view import AxisState, View
from xpflow.decoding.blocks import Block
from xpflow.decoding.canvas import Canvas
from xpflow.decoding.decoders.token_editing import PostSettings, PostStepper
from xpflow.decoding.entry import Decoder

BOUNDS = {"low_prob": 0.1, "t2t": 0.9, "drop": 0.3}


class TokenToMaskSettings(PostSettings):
    """Settings of `token_to_mask`."""

    trigger: Literal["low_prob", "t2t", "drop"] = Field(default="low_prob", description="What is suspicious")
    bound: float | None = Field(
        default=None, ge=0.0, le=1.0, description="Of the trigger; none: low_prob 0.1, t2t 0.9, drop 0.3"
    )
    share: float = Field(
        default=0.25, ge=0.0, le=1.0, description="Of the tokens, that one forward remasks at most"
    )
    per_position: int = Field(default=3, ge=0, description="Times that one place is remasked at most")


class TokenToMask(PostStepper):
    """The stepper of `token_to_mask`."""

    settings: TokenToMaskSettings

    def first_memory(self, state: AxisState, block: Block, canvas: Canvas) -> dict[str, Tensor]:
        """Return that nothing was remasked, and no token's probability is known."""
        return {
            **super().first_memory(state, block, canvas),
            "times_BM": torch.zeros_like(state.ids_BM),
            "held_BM": torch.full(state.ids_BM.shape, torch.nan, device=state.ids_BM.device),
        }

    def revises(self, view: View, commit_BM: Tensor) -> Revision:
        """Return the worst of the suspicious tokens."""
        bound = BOUNDS[self.settings.trigger] if self.settings.bound is None else self.settings.bound
        worst_BM, remask_BM = self._suspicion(view, bound)
        able_BM = view.decided_BM & (view.state.memory["times_BM"] < self.settings.per_position)
        most_B = (self.settings.share * view.decided_BM.sum(-1)).floor().long().clamp(min=1)
        if self.settings.share == 0.0:
            most_B = torch.zeros_like(most_B)
        remask_BM = first_ranks(worst_BM, able_BM & remask_BM, most_B)
        return Revision(remask_BM, torch.zeros_like(remask_BM))

    def remembered(self, view: View, new: AxisState, commit_BM: Tensor, change: Revision) -> AxisState:
        """Count what was remasked, and keep the probabilities of the tokens that are held now."""
        held_BM = torch.where(view.decided_BM, view.support_BM, torch.nan)
        held_BM = torch.where(commit_BM, view.found.confidence.to(held_BM.dtype), held_BM)
        held_BM = held_BM.masked_fill(change.remask_BM, torch.nan)
        times_BM = new.memory["times_BM"] + change.remask_BM
        return super().remembered(view, new, commit_BM, change).remember(times_BM=times_BM, held_BM=held_BM)

    def cap(self, block: Block) -> Tensor:
        """Return the steps until no mask is left, and the looks after that."""
        return self.filled_at(block) + self.settings.post_steps

    def filled_at(self, block: Block) -> Tensor:
        """Return the step by which no mask is left; every remasking may cost one more."""
        steps_B = super().filled_at(block)
        return steps_B * (1 + self.settings.per_position) if self.uncapped else steps_B

    def _suspicion(self, view: View, bound: float) -> tuple[Tensor, Tensor]:
        """Return how suspicious every token is, and whether it is suspicious enough."""
        if self.settings.trigger == "low_prob":
            return -view.support_BM, view.support_BM < bound
        if self.settings.trigger == "t2t":
            c_BM = view.found.confidence
            other_BM = (view.found.ids != view.state.ids_BM) & ~self.noise.is_open(view.found.ids)
            return c_BM, other_BM & (c_BM > bound)
        fall_BM = view.state.memory["held_BM"] - view.support_BM
        return fall_BM.nan_to_num(nan=-torch.inf), fall_BM > bound


DECODER = Decoder(
    settings=TokenToMaskSettings,
    make=TokenToMask,
    about="threshold decoding whose suspicious tokens become masks again",
    title="token to mask",
    source="T2M, arXiv 2604.18738",
    nfe="adaptive",
    shown=("threshold", "trigger"),
    events=EVENTS,
    examples=({}, {"threshold": 0.2, "bound": 0.5, "at_cap": "continue"}),
)
