"""ReMix: masks carry part of their last distribution, and forget it where it changed too much.

input = (1 - beta) m + beta [ sum_{v in S} p_v e(v) + (1 - sum_S p) m ], S the largest prefix of the most
likely tokens with a cumulative p of at most clamp(2 max p, 0.2, 0.9), the best always; p is not
renormalised. A mask with JS(p, p before) > reject is plain again, and its p forgotten: the next one is
compared with 0, to which JS is ln 2 / 2 = 0.347, so below that a rejected mask stays plain. Commits c > tau,
at least one and at most a share of the masks. Source: arXiv 2602.22868 (CVPR 2026). Deviations: the published
ceiling clamp(0.7 |A|, 5, 20) counts tokens of a block of 128; `ceiling_low` and `ceiling_high` are shares of
the block. The first forward of a block sees plain masks (the public code: the first two of the first block),
and JS starts anew with each block. Memory: one table [M, V] a row.
"""

from __future__ import annotations

import math
from typing import Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from xpflow.decoding.axes.commits import above, at_least, no_more_than
from xpflow.decoding.axes.feedback import SoftStepper, weighted
from xpflow.decoding.axes.general import AxisSettings, Revision
from xpflow.decoding.axes.view import AxisState, View, entropy
from xpflow.decoding.blocks import Block
from xpflow.decoding.canvas import Canvas
from xpflow.decoding.entry import Decoder, Knob

MOST, FEW = 50, 8  # tokens in S at most, and mostly
ROUNDING = 1e-9  # 5 / 48 of 48 tokens are 5


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
        max(1, math.floor(share * length + ROUNDING))
        for share in (settings.ceiling_low, settings.ceiling_high)
    )
    return (settings.ceiling * masks_B).floor().long().clamp(min=low, max=max(low, high))


def up_to_ceiling(view: View, settings: CeilingSettings, threshold: float) -> Tensor:
    """Return the masks with c > threshold, bool `[B, M]`: the best at least, the ceiling's number at most."""
    limit_B = ceiling(settings, view.able_BM.sum(-1), view.info.block.length)
    sure_BM = no_more_than(above(view.c_BM, threshold), view.c_BM, limit_B)
    return at_least(sure_BM, view.c_BM, 1, settings.tie_break, view.info.block)


class Remix(SoftStepper):
    """The stepper of `remix`."""

    settings: RemixSettings

    def first_memory(self, state: AxisState, block: Block, canvas: Canvas) -> dict[str, Tensor]:
        """Return plain masks and no distribution."""
        none_BMV = torch.zeros(*state.ids_BM.shape, self.facts.vocabulary, device=state.ids_BM.device)
        return {**super().first_memory(state, block, canvas), "p_BMV": none_BMV}

    def commits(self, view: View) -> Tensor:
        """Return what is confident enough, the best at least, up to the ceiling."""
        return up_to_ceiling(view, self.settings, self.settings.threshold)

    def mixed(self, view: View, m_BME: Tensor, kept_BM: Tensor) -> Tensor:
        """Return m with part of the distribution."""
        target_BKE, mass_BK = nucleus_sum(view.p_BKV, self.embed.weight)
        mass_BM1 = view.spread(mass_BK[..., None]).to(m_BME.dtype)
        return m_BME + self.settings.beta * (view.spread(target_BKE) - mass_BM1 * m_BME)

    def remembered(self, view: View, new: AxisState, commit_BM: Tensor, change: Revision) -> AxisState:
        """Keep mixtures and distributions but where they are rejected."""
        new = super().remembered(view, new, commit_BM, change)
        rejected_BK = self._rejected(view)
        p_BMV, entropy_BM = view.p_BMV, view.entropy_BM
        rejected_BM = view.spread(rejected_BK)
        p_BMV[rejected_BM], entropy_BM = 0.0, entropy_BM.masked_fill(rejected_BM, 0.0)
        x_BME = torch.where(rejected_BM[..., None], new.memory["m_BME"], new.memory["x_BME"])
        return new.remember(p_BMV=p_BMV, entropy_BM=entropy_BM, x_BME=x_BME)

    def _rejected(self, view: View) -> Tensor:
        """Return where p moved by more than `reject`, `[B, K]`; nowhere in a block's first step."""
        if view.info.step == 0:
            return torch.zeros_like(view.entropy_BK, dtype=torch.bool)
        old_BKV, old_BK = (view.at_read(view.state.memory[name]) for name in ("p_BMV", "entropy_BM"))
        middle_BK = entropy(old_BKV.add(view.p_BKV).div_(2))
        return middle_BK - (view.entropy_BK + old_BK) / 2 > self.settings.reject


def nucleus_sum(p_BKV: Tensor, table_VE: Tensor) -> tuple[Tensor, Tensor]:
    """Return sum_{v in S} p_v e(v), `[B, K, E]`, and S's mass, `[B, K]`.

    The likeliest `FEW` are looked at first; only where S may go on, the likeliest `MOST`.
    """
    p_RV = p_BKV.flatten(0, 1)
    sum_RE, mass_R, on_R = _prefix_sum(p_RV, table_VE, FEW)
    if bool(on_R.any()):
        sum_RE[on_R], mass_R[on_R], _ = _prefix_sum(p_RV[on_R], table_VE, MOST)
    return sum_RE.view(*p_BKV.shape[:2], -1), mass_R.view(p_BKV.shape[:2])


def _prefix_sum(p_RV: Tensor, table_VE: Tensor, most: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the same over `most` tokens at most, and whether all of them are in S."""
    best_RT, ids_RT = p_RV.topk(min(most, p_RV.shape[-1]), dim=-1)
    inside_RT = best_RT.cumsum(-1) <= (2 * best_RT[..., :1]).clamp(0.2, 0.9)
    inside_RT[..., 0] = True
    part_RT = best_RT * inside_RT
    return weighted(table_VE, ids_RT, part_RT), part_RT.sum(-1), inside_RT.all(-1)


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
