"""DMax: tokens are soft and always revised, masks are hard and leave from the left.

Masks: from the left as long as c >= threshold, the first one always. Tokens: each takes the newest argmax,
and the model sees c e(argmax) + (1 - c) m there, rescaled to c |e| + (1 - c) |m|. A block ends when no mask
is left and the last forward changed nothing, or was sure of every place (c >= stop). Source: arXiv
2604.08302. It presupposes weights for which the output at a decided place repeats its input: aligned ones.
Deviation: the public stop looks at decided places only and may leave masks; here masks are committed first.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from xpflow.decoding.axes.commits import above, leftmost
from xpflow.decoding.axes.feedback import SoftStepper
from xpflow.decoding.axes.general import EVENTS, AxisSettings, Revision
from xpflow.decoding.axes.view import AxisState, View
from xpflow.decoding.blocks import Block
from xpflow.decoding.canvas import Canvas
from xpflow.decoding.entry import Decoder
from xpflow.decoding.tokens import TokenState


class DmaxSettings(AxisSettings):
    """Settings of `dmax`."""

    threshold: float = Field(default=0.65, ge=0.0, le=1.0, description="Commit masks from the left with c >=")
    stop: float | None = Field(
        default=0.9,
        ge=0.0,
        le=1.0,
        description="End a block without masks where every c is as large; none: never",
    )
    decided: Literal["soft", "hard"] = Field(
        default="soft", description="What the model sees at tokens: the mixture with the mask, or the token"
    )


class Dmax(SoftStepper):
    """The stepper of `dmax`."""

    settings: DmaxSettings
    reads_decided = True

    def first_memory(self, state: AxisState, block: Block, canvas: Canvas) -> dict[str, Tensor]:
        """Return the start: what is there, as it is."""
        plain = super().first_memory(state, block, canvas)
        return {**plain, "done_B": torch.zeros_like(state.masked_BM[:, 0])}

    def inputs(self, state: TokenState) -> Tensor:
        """Return embeddings: plain masks, and the mixtures at tokens of the response."""
        assert isinstance(state, AxisState)
        return state.memory["x_BME"]

    def commits(self, view: View) -> Tensor:
        """Return the masks from the left that are confident enough, the first in any case."""
        return leftmost(view.able_BM, above(view.c_BM, self.settings.threshold, strict=False))

    def revises(self, view: View, commit_BM: Tensor) -> Revision:
        """Return the tokens for which there is another argmax now."""
        other_BM = (view.found.ids != view.state.ids_BM) & ~self.noise.is_open(view.found.ids)
        return Revision(torch.zeros_like(other_BM), view.decided_BM & other_BM)

    def remembered(self, view: View, new: AxisState, commit_BM: Tensor, change: Revision) -> AxisState:
        """Keep what the next forward sees, and whether none is needed."""
        open_BM = view.info.block.open_BM
        c_BM = view.found.confidence.masked_fill(~open_BM, torch.inf)
        quiet_B = ~(commit_BM | change.edit_BM).any(-1)
        sure_B = torch.zeros_like(quiet_B)
        if self.settings.stop is not None:
            sure_B = (c_BM >= self.settings.stop).all(-1)
        m_BME, e_BME = new.memory["m_BME"], self.embed(new.ids_BM.clamp(min=0))
        x_BME = self._soft(e_BME, m_BME, view.found.confidence) if self.settings.decided == "soft" else e_BME
        inside_BM1 = (open_BM & ~new.masked_BM)[..., None]
        x_BME = torch.where(inside_BM1, x_BME.to(m_BME.dtype), m_BME)
        return new.remember(x_BME=x_BME, done_B=quiet_B | sure_B)

    def cap(self, block: Block) -> Tensor:
        """Return the budget's steps, or as many as the block has places (as published), filled or not."""
        return torch.full_like(block.steps_B, block.length) if self.uncapped else block.steps_B

    def finished(self, state: TokenState, block: Block) -> Tensor:
        """Return the rows without a mask that nothing changed in, or that the model was sure of."""
        assert isinstance(state, AxisState)
        return ~state.masked_BM.any(-1) & state.memory["done_B"]

    @staticmethod
    def _soft(e_BME: Tensor, m_BME: Tensor, c_BM: Tensor) -> Tensor:
        """Return c e + (1 - c) m at the length c |e| + (1 - c) |m|."""
        c_BM1 = c_BM.clamp(0.0, 1.0)[..., None].to(e_BME.dtype)
        mixed_BME = c_BM1 * e_BME + (1 - c_BM1) * m_BME
        size_BM1 = c_BM1 * e_BME.norm(dim=-1, keepdim=True) + (1 - c_BM1) * m_BME.norm(dim=-1, keepdim=True)
        length_BM1 = mixed_BME.norm(dim=-1, keepdim=True).clamp(min=torch.finfo(mixed_BME.dtype).tiny)
        soft_BME: Tensor = mixed_BME * size_BM1 / length_BM1
        return soft_BME


DECODER = Decoder(
    settings=DmaxSettings,
    make=Dmax,
    about="soft tokens that are always revised, masks that leave from the left",
    title="DMax",
    source="DMax, arXiv 2604.08302",
    nfe="adaptive",
    shown=("threshold",),
    events=EVENTS,
    examples=({},),
)
