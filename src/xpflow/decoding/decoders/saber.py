"""Saber: a threshold that follows the confidences of earlier commits, and steps back where confidence fell.

theta = mean confidence of the block's tokens when they were committed (1 at first); masks with c > theta, n
at least. After f commits the min(max(n // 2, ceil(f / 8)), f - 1) tokens whose confidence rose least since
the step before (from 0 in the first) become masks again: those of this step too. Source: arXiv 2510.18165.
Deviations: means and tokens are those of the block (published with one block); a token that was remasked no
longer counts in the mean (`mean: ever` repeats the public code); the public code overwrites tokens where
fewer than n masks are left.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from xpflow.decoding.axes.commits import above, at_least, first_ranks
from xpflow.decoding.axes.general import EVENTS, AxisSettings, AxisStepper, Revision
from xpflow.decoding.axes.view import AxisState, View
from xpflow.decoding.blocks import Block
from xpflow.decoding.canvas import Canvas
from xpflow.decoding.entry import Decoder, Knob


class SaberSettings(AxisSettings):
    """Settings of `saber`."""

    least: int = Field(default=2, ge=1, description="n: tokens that a step commits at least")
    backtrack: bool = Field(default=True, description="Remask tokens whose confidence rose least")
    mean: Literal["held", "ever"] = Field(
        default="held",
        description="theta: of tokens that are held, or of all that ever were (public code)",
    )


class Saber(AxisStepper):
    """The stepper of `saber`."""

    settings: SaberSettings
    reads_decided = True

    def first_memory(self, state: AxisState, block: Block, canvas: Canvas) -> dict[str, Tensor]:
        """Return that no token was committed, and confidences of 0."""
        none_BM = torch.full(state.ids_BM.shape, torch.nan, device=state.ids_BM.device)
        return {"fixed_BM": none_BM, "c_BM": torch.zeros_like(none_BM)}

    def commits(self, view: View) -> Tensor:
        """Return what is above the mean of earlier commits, and the n best in any case."""
        theta_B = view.state.memory["fixed_BM"].nanmean(-1).nan_to_num(nan=1.0)
        sure_BM = above(view.c_BM, theta_B[:, None].to(view.c_BM.dtype))
        return at_least(sure_BM, view.c_BM, self.settings.least, self.settings.tie_break, view.info.block)

    def revises(self, view: View, commit_BM: Tensor) -> Revision:
        """Return the tokens whose confidence rose least, new ones too; none when no mask is left."""
        done_B, least = commit_BM.sum(-1), self.settings.least
        back_B = (-(-done_B // 8)).clamp(min=least // 2)
        back_B = torch.minimum(back_B, done_B - 1).clamp(min=0)
        left_B = (view.masked_BM & ~commit_BM).any(-1)
        back_B = back_B * left_B * self.settings.backtrack
        rise_BM = view.found.confidence - view.state.memory["c_BM"]
        remask_BM = first_ranks(-rise_BM, view.decided_BM | commit_BM, back_B)
        return Revision(remask_BM, torch.zeros_like(remask_BM))

    def remembered(self, view: View, new: AxisState, commit_BM: Tensor, change: Revision) -> AxisState:
        """Keep the confidences of this step, and those of commits."""
        c_BM = view.found.confidence
        fixed_BM = torch.where(commit_BM, c_BM, new.memory["fixed_BM"])
        if self.settings.mean == "held":
            fixed_BM = fixed_BM.masked_fill(change.remask_BM, torch.nan)
        return new.remember(fixed_BM=fixed_BM, c_BM=c_BM)


DECODER = Decoder(
    settings=SaberSettings,
    make=Saber,
    about="a threshold that follows earlier confidences, with steps back",
    title="Saber",
    source="Saber, arXiv 2510.18165",
    nfe="adaptive",
    shown=("least",),
    knob=Knob("least", 1, 16, rises=False, whole=True),
    events=EVENTS,
    examples=({},),
)
