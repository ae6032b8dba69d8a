"""ReMix: masks carry part of their last distribution, and forget it where it changed too much.

input = (1 - beta) m + beta [ sum_{v in S} p_v e(v) + (1 - sum_S p) m ], S the largest prefix of the most
likely tokens with a cumulative p of at most clamp(2 max p, 0.2, 0.9), the best always; p is not
renormalised. A mask with JS(p, p before) > reject is plain again. Commits c > tau, at least one and at most
a share of the masks. Source: arXiv 2602.22868 (CVPR 2026). Deviations: the published ceiling clamp(0.7 |A|,
5, 20) counts tokens of a block of 128; `ceiling_low` and `ceiling_high` are shares of the block. The first
forward of a block sees plain masks (the public code: the first two of the first block), and JS starts anew
with each block. Memory: one table [M, V] a row.
"""

from __future__ import annotations

import math
from typing import Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from xpflow.decoding.axes.commits import above, at_least, no_more_than
from xpflow.decoding.axes.feedback import SoftStepper
from xpflow.decoding.axes.general import AxisSettings, Revision
from xpflow.decoding.axes.view import AxisState, View
from xpflow.decoding.blocks import Block
from xpflow.decoding.canvas import Canvas
from xpflow.decoding.entry import Decoder, Knob

MOST = 50  # tokens in S


class CeilingSettings(AxisSettings):
    """The bound on commits of a step, as in WINO and ReMix."""

    ceiling: float = Field(
        default=0.7, gt=0.0, le=1.0, description="At most this share of the masks in a step"
    )
    ceiling_low: float = Field(
        default=5 / 128, ge=0.0, le=1.0, description="Never below this share of the block"
    )
    ceiling_high: float = Field(default=20 / 128, ge=0.0, le=1.0, description="Never above this share of it")

    @model_validator(mode="after")
    def _require_room(self) -> Self:
        if self.ceiling_low > self.ceiling_high:
            low, high = self.ceiling_low, self.ceiling_high
            raise ValueError(f"ceiling_low ({low:g}) must not be above ceiling_high ({high:g})")
        return self


class RemixSettings(CeilingSettings):
    """Settings of `remix`."""

    threshold: float = Field(default=0.8, ge=0.0, le=1.0, description="tau: commit c > tau")
    beta: float = Field(default=0.5, ge=0.0, le=1.0, description="Share of the prediction at a mask")
    reject: float = Field(
        default=0.3, description="JS in nats above which a mask is plain again; ln 2 or more: never"
    )


def ceiling(settings: CeilingSettings, masks_B: Tensor, length: int) -> Tensor:
    """Return the most tokens that a step commits, `[B]`; 1 at least."""
    low, high = (
        max(1, math.floor(share * length)) for share in (settings.ceiling_low, settings.ceiling_high)
    )
    return (settings.ceiling * masks_B).floor().long().clamp(min=low, max=max(low, high))


class Remix(SoftStepper):
    """The stepper of `remix`."""

    settings: RemixSettings

    def first_memory(self, state: AxisState, block: Block, canvas: Canvas) -> dict[str, Tensor]:
        """Return plain masks and no distribution."""
        m_BME = canvas.embedded(self.embed, block.positions_BM)
        none_BMV = torch.zeros(*state.ids_BM.shape, self.facts.vocabulary, device=m_BME.device)
        return {"m_BME": m_BME, "x_BME": m_BME, "p_BMV": none_BMV}

    def commits(self, view: View) -> Tensor:
        """Return what is confident enough, the best at least, up to the ceiling."""
        sure_BM = above(view.c_BM, self.settings.threshold)
        limit_B = ceiling(self.settings, view.able_BM.sum(-1), view.info.block.length)
        sure_BM = no_more_than(sure_BM, view.c_BM, limit_B)
        return at_least(sure_BM, view.c_BM, 1, self.settings.tie_break, view.info.block)

    def mixed(self, view: View, m_BME: Tensor) -> Tensor:
        """Return m with part of the distribution, or m alone where that was rejected."""
        p_BMV, table_VE = view.p_BMV, self.embed.weight
        best_BMK, ids_BMK = p_BMV.topk(min(MOST, p_BMV.shape[-1]), dim=-1)
        bound_BM1 = (2 * best_BMK[..., :1]).clamp(0.2, 0.9)
        inside_BMK = best_BMK.cumsum(-1) <= bound_BM1
        inside_BMK = torch.cat((torch.ones_like(inside_BMK[..., :1]), inside_BMK[..., 1:]), dim=-1)
        part_BMK = best_BMK * inside_BMK
        target_BME = (part_BMK[..., None].to(table_VE.dtype) * table_VE[ids_BMK]).sum(-2)
        mass_BM1 = part_BMK.sum(-1, keepdim=True).to(m_BME.dtype)
        x_BME = m_BME + self.settings.beta * (target_BME - mass_BM1 * m_BME)
        return torch.where(self._rejected(view)[..., None], m_BME, x_BME)

    def remembered(self, view: View, new: AxisState, commit_BM: Tensor, change: Revision) -> AxisState:
        """Keep the mixtures, and the distributions that the next step compares with."""
        return super().remembered(view, new, commit_BM, change).remember(p_BMV=view.p_BMV)

    def _rejected(self, view: View) -> Tensor:
        """Return where the distribution moved by more than `reject`; nowhere in a block's first step."""
        if view.info.step == 0:
            return torch.zeros_like(view.masked_BM)
        now_BMV, old_BMV = view.p_BMV, view.state.memory["p_BMV"]
        middle_BMV = (now_BMV + old_BMV) / 2
        entropies = [torch.special.entr(p_BMV).sum(-1) for p_BMV in (middle_BMV, now_BMV, old_BMV)]
        moved_BM: Tensor = entropies[0] - (entropies[1] + entropies[2]) / 2 > self.settings.reject
        return moved_BM


DECODER = Decoder(
    settings=RemixSettings,
    make=Remix,
    about="masks carry part of their last distribution until it changes too much",
    title="ReMix",
    source="ReMix, arXiv 2602.22868",
    nfe="adaptive",
    shown=("threshold",),
    knob=Knob("threshold", 0.0, 1.0),
    examples=({},),
    only_with={"reject": ("a beta above 0", lambda settings: settings.beta > 0)},
)
