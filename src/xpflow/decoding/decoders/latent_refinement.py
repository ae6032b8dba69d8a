"""LRD, latent refinement decoding: let beliefs settle as mixtures first, then commit the surest ones.

At a mask the model sees (1 - w) m + w sum_{v in S} p_v e(v) / sum_S p, S the nucleus of the last distribution
and w = weight (1 - H / log V) (Eq. 3-4). Refinement: forwards that commit nothing, until the mean KL of the
block's distributions to those of the step before (Eq. 6) is below `settled`, or `refine` N forwards have run.
Then each forward commits the masks of lowest entropy and mixes the others (Eq. 7); where the mean KL falls
below `stop`, all. Every block starts anew, with plain masks (Appendix C).
Source: Zhu et al. 2025, arXiv 2510.11052. Deviations: `stop` is 0.1 there, as `settled` is; here it is off,
since on llada-micro 0.1 commits everything in the third forward. Whether the forward that ends refinement
commits already is left open there: ours does not. `refine` is 20 forwards of 256 tokens there; they cost as
any other. Memory: one table [M, V] a row.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from xpflow.decoding.axes.feedback import SoftStepper, mixture, weighted
from xpflow.decoding.axes.general import AxisSettings, Revision
from xpflow.decoding.axes.view import AxisState, View
from xpflow.decoding.blocks import Block
from xpflow.decoding.canvas import Canvas
from xpflow.decoding.entry import Decoder, Knob
from xpflow.decoding.stepper import Logits, StepInfo
from xpflow.decoding.tokens import TokenState, most_confident

FEW = (8, 64)  # tokens that are sorted before all of them are


class LatentRefinementSettings(AxisSettings):
    """Settings of `latent_refinement`."""

    weight: float = Field(default=0.15, ge=0.0, le=1.0, description="r_f: share of a certain prediction")
    top_p: float = Field(default=0.9, gt=0.0, le=1.0, description="Probability of the nucleus that is mixed")
    refine: float = Field(
        default=20 / 256, ge=0.0, description="Forwards at most that commit nothing, as a share of N"
    )
    settled: float = Field(
        default=0.1, ge=0.0, description="Mean KL in nats below which beliefs have settled"
    )
    per_step: int = Field(default=1, ge=1, description="Masks that a forward commits after that")
    stop: float = Field(
        default=0.0, ge=0.0, description="Mean KL below which all is committed (published: 0.1); 0: never"
    )
    over: Literal["block", "masks"] = Field(
        default="block", description="Places whose KL counts: all that are decoded, or those still masks"
    )


@dataclass(frozen=True)
class Settling(View):
    """A view that says how far beliefs have moved; `over` as in the settings."""

    over: str

    @cached_property
    def logs_BKV(self) -> Tensor:
        """Return the logarithms of the distributions at the places read."""
        return self.p_BKV.clamp(min=torch.finfo(self.p_BKV.dtype).tiny).log_()

    @cached_property
    def entropy_BK(self) -> Tensor:
        """Return H in nats at the places read, from the logarithms that are there."""
        return -(self.p_BKV * self.logs_BKV).sum(-1)

    @cached_property
    def moved_B(self) -> Tensor:
        """Return the mean KL of distributions to those of the step before, `[B]`; infinite at first."""
        if self.info.step == 0:
            return torch.full(self.masked_BM.shape[:1], torch.inf, device=self.masked_BM.device)
        kl_BK = (self.logs_BKV - self.recall("logs")).mul_(self.p_BKV).sum(-1)
        kl_BM = self.spread(kl_BK).clamp(min=0.0)  # rounding: what stands still is no less than 0
        counts_BM = self.able_BM if self.over == "masks" else self.info.block.open_BM
        return kl_BM.masked_fill(~counts_BM, 0.0).sum(-1) / counts_BM.sum(-1).clamp(min=1)


class LatentRefinement(SoftStepper):
    """The stepper of `latent_refinement`."""

    settings: LatentRefinementSettings

    def first_memory(self, state: AxisState, block: Block, canvas: Canvas) -> dict[str, Tensor]:
        """Return plain masks; `ready_B`: whether refinement is over."""
        ready_B = torch.full_like(state.masks_B, self.most == 0)
        return {**super().first_memory(state, block, canvas), "ready_B": ready_B}

    def scored(self, state: AxisState, logits: Logits, info: StepInfo) -> View:
        """Return predictions, and what says whether beliefs have settled."""
        view = super().scored(state, logits, info)
        return Settling(view.state, view.found, logits, info, self.settings.over)

    def wanted(self, state: TokenState, block: Block) -> Tensor | None:
        """Return the masks, and the tokens of the response where their KL counts too."""
        also = self.settings.stop > 0 and self.settings.over == "block"  # before commits all places are masks
        return block.open_BM if also else state.masked_BM

    @property
    def most(self) -> int:
        """Return the forwards of a block that commit nothing, at most."""
        return round(self.settings.refine * self.schedule.settings.gen_length)

    def commits(self, view: View) -> Tensor:
        """Return nothing while beliefs settle, then the masks of lowest entropy, at last all."""
        low_BM = (-view.entropy_BM).masked_fill(~view.able_BM, -torch.inf)
        best_BM = most_confident(low_BM, self.settings.per_step, self.settings.tie_break, view.info.block)
        ready_B1 = view.state.memory["ready_B"][:, None] > 0
        if self.settings.stop > 0:
            best_BM = best_BM | ((_settling(view).moved_B < self.settings.stop)[:, None] & view.able_BM)
        return best_BM & ready_B1

    def remembered(self, view: View, new: AxisState, commit_BM: Tensor, change: Revision) -> AxisState:
        """Keep mixtures, distributions where the next step asks them, and end refinement where it is over."""
        seen, step = _settling(view), view.info.step
        ready_B = new.memory["ready_B"]
        if step + 1 >= self.most:
            ready_B = torch.ones_like(ready_B)
        else:
            ready_B = ready_B | (seen.moved_B < self.settings.settled).to(ready_B)
        kept = super().remembered(view, new, commit_BM, change).remember(ready_B=ready_B)
        asked = self.settings.stop > 0 or step + 2 < self.most
        return kept.remember(**view.kept("logs", seen.logs_BKV)) if asked else kept

    def mixed(self, view: View, m_BME: Tensor, kept_BM: Tensor) -> Tensor:
        """Return m moved towards the mean of the nucleus, the further the lower the entropy."""
        kept_BK = view.at_read(kept_BM)
        u_BKE = m_BME.new_zeros(*kept_BK.shape, m_BME.shape[-1])
        u_BKE[kept_BK] = nucleus_mean(view.p_BKV[kept_BK], self.embed.weight, self.settings.top_p).to(u_BKE)
        w_BM = self.settings.weight * (1 - view.entropy_BM / math.log(self.facts.vocabulary)).clamp(min=0)
        return mixture(m_BME, view.spread(u_BKE), w_BM, "linear")

    def cap(self, block: Block) -> Tensor:
        """Return the budget's steps, or one per open position and those of refinement."""
        return super().cap(block) + (self.most if self.uncapped else 0)


def nucleus_mean(p_RV: Tensor, table_VE: Tensor, top_p: float) -> Tensor:
    """Return the mean embedding of the likeliest tokens that hold a mass of top_p, `[R, E]`.

    Few tokens are sorted first, and more only where these hold less: most predictions are sure of something.
    """
    size, mean_RE = p_RV.shape[-1], table_VE.new_zeros(len(p_RV), table_VE.shape[-1])
    rows = torch.arange(len(p_RV), device=p_RV.device)
    for most in (*(few for few in FEW if few < size), size):
        best_RT, ids_RT = p_RV.topk(most, dim=-1)
        sums_RT = best_RT.cumsum(-1)
        inside_RT = best_RT * (sums_RT - best_RT < top_p)
        inside_RT /= inside_RT.sum(-1, keepdim=True).clamp(min=torch.finfo(p_RV.dtype).tiny)
        mean_RE[rows] = weighted(table_VE, ids_RT, inside_RT)
        on = ((sums_RT[:, -1] < top_p) & (best_RT[:, -1] > 0)).nonzero()[:, 0]
        if not len(on):
            break
        rows, p_RV = rows[on], p_RV[on]
    return mean_RE


def _settling(view: View) -> Settling:
    assert isinstance(view, Settling)
    return view


DECODER = Decoder(
    settings=LatentRefinementSettings,
    make=LatentRefinement,
    about="let mixtures settle first, then commit the masks of lowest entropy",
    title="LRD",
    source="Latent refinement decoding (Zhu et al. 2025), arXiv 2510.11052",
    nfe="adaptive",
    shown=("weight", "per_step"),
    knob=Knob("per_step", 1, 32, rises=False, whole=True),
    examples=({}, {"refine": 0.3, "per_step": 3, "stop": 1e-6, "at_cap": "continue"}),
    only_with={"over": ("a stop above 0", lambda settings: settings.stop > 0)},
)
