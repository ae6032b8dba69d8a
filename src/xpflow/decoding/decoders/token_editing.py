"""LLaDA2.1's own decoder: masks become tokens, and tokens other tokens, from the same forward.

Masks: c > threshold, or the best. Tokens: another argmax with c > edit_threshold takes their place. A block
without masks goes on until a forward edits nothing (that forward is run, and counted) or `post_steps` have
been. Published modes: quality 0.7 / 0.5, speed 0.5 / 0.0. Source: LLaDA2.1, arXiv 2602.08676. Models that
were not trained to edit (LLaDA, LLaDA2.0) may take it too: the rule is legal there, its use is not what the
authors claim.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from xpflow.decoding.axes.commits import above, at_least
from xpflow.decoding.axes.general import EVENTS, AxisSettings, AxisStepper, Revision
from xpflow.decoding.axes.view import AxisState, View
from xpflow.decoding.blocks import Block
from xpflow.decoding.canvas import Canvas
from xpflow.decoding.entry import Decoder, Knob
from xpflow.decoding.tokens import TokenState


class PostSettings(AxisSettings):
    """What decoders share that look again at a block without masks."""

    threshold: float = Field(default=0.95, ge=0.0, le=1.0, description="Commit masks with c above it")
    post_steps: int = Field(default=16, ge=0, description="Forwards at most over a block without masks")


class PostStepper(AxisStepper):
    """Base of decoders that revise tokens, and end a block when a forward over all of it revises nothing."""

    settings: PostSettings
    reads_decided = True

    def first_memory(self, state: AxisState, block: Block, canvas: Canvas) -> dict[str, Tensor]:
        """Return that no forward has been over a block without masks."""
        post_B = torch.zeros(len(state.ids_BM), dtype=torch.long, device=state.ids_BM.device)
        return {"post_B": post_B, "quiet_B": post_B > 0}

    def commits(self, view: View) -> Tensor:
        """Return what is confident enough, and the best in any case."""
        sure_BM = above(view.c_BM, self.settings.threshold)
        return at_least(sure_BM, view.c_BM, 1, self.settings.tie_break, view.info.block)

    def remembered(self, view: View, new: AxisState, commit_BM: Tensor, change: Revision) -> AxisState:
        """Count forwards over a block without masks, and note one that changed nothing."""
        whole_B = ~view.masked_BM.any(-1)
        changed_B = (change.edit_BM | change.remask_BM).any(-1)
        return new.remember(post_B=new.memory["post_B"] + whole_B, quiet_B=whole_B & ~changed_B)

    def finished(self, state: TokenState, block: Block) -> Tensor:
        """Return the rows without a mask whose last look changed nothing, or whose looks are used up."""
        assert isinstance(state, AxisState)
        over_B = state.memory["quiet_B"] | (state.memory["post_B"] >= self.settings.post_steps)
        return ~state.masked_BM.any(-1) & over_B

    def filled_at(self, block: Block) -> Tensor:
        """Return the step by which no mask is left."""
        return super().cap(block)

    def cap(self, block: Block) -> Tensor:
        """Return the steps until no mask is left, and the looks after that."""
        return self.filled_at(block) + self.settings.post_steps


class TokenEditingSettings(PostSettings):
    """Settings of `token_editing`."""

    edit_threshold: float = Field(
        default=0.9, ge=0.0, le=1.0, description="Replace a token by another argmax with c above it"
    )


class TokenEditing(PostStepper):
    """The stepper of `token_editing`."""

    settings: TokenEditingSettings

    def revises(self, view: View, commit_BM: Tensor) -> Revision:
        """Return the tokens that another one replaces."""
        other_BM = (view.found.ids != view.state.ids_BM) & ~self.noise.is_open(view.found.ids)
        edit_BM = view.decided_BM & other_BM & above(view.found.confidence, self.settings.edit_threshold)
        return Revision(torch.zeros_like(edit_BM), edit_BM)


DECODER = Decoder(
    settings=TokenEditingSettings,
    make=TokenEditing,
    about="LLaDA2.1's decoder: threshold, and tokens that a better one replaces",
    title="token editing",
    source="LLaDA2.1, arXiv 2602.08676",
    nfe="adaptive",
    shown=("threshold", "edit_threshold"),
    knob=Knob("threshold", 0.0, 1.0),
    events=EVENTS,
    examples=({}, {"threshold": 0.5, "edit_threshold": 0.0}),
)
