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

from xpflow.decoding.axes.feedback import SoftStepper, mixture
from xpflow.decoding.axes.general import AxisSettings, Revision
from xpflow.decoding.axes.view import AxisState, View
from xpflow.decoding.blocks import Block
from xpflow.decoding.canvas import Canvas
from xpflow.decoding.entry import Decoder, Knob
from xpflow.decoding.stepper import Logits, StepInfo
from xpflow.decoding.tokens import TokenState, most_confident

FEW = 32  # tokens that are sorted first


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
    def p_BMV(self) -> Tensor:
        """Return the distributions of the whole block; 0 where nothing was read."""
        return self.spread(self.p_BKV)

    @cached_property
    def logs_BMV(self) -> Tensor:
        """Return their logarithms."""
        return self.p_BMV.clamp(min=torch.finfo(self.p_BMV.dtype).tiny).log()

    @cached_property
    def moved_B(self) -> Tensor:
        """Return the mean KL of distributions to those of the step before, `[B]`; infinite at first."""
        if self.info.step == 0:
            return torch.full(self.masked_BM.shape[:1], torch.inf, device=self.masked_BM.device)
        kl_BM = (self.p_BMV * (self.logs_BMV - self.state.memory["logs_BMV"])).sum(-1)
        kl_BM = kl_BM.clamp(min=0.0)  # rounding: what stands still is no less than 0
        counts_BM = self.able_BM if self.over == "masks" else self.info.block.open_BM
        return kl_BM.masked_fill(~counts_BM, 0.0).sum(-1) / counts_BM.sum(-1).clamp(min=1)


def _moved(view: View) -> Tensor:
    assert isinstance(view, Settling)
    return view.moved_B


class LatentRefinement(SoftStepper):
    """The stepper of `latent_refinement`."""

    settings: LatentRefinementSettings

    def first_memory(self, state: AxisState, block: Block, canvas: Canvas) -> dict[str, Tensor]:
        """Return plain masks and no distribution; `ready_B`: whether refinement is over."""
        plain = super().first_memory(state, block, canvas)
        none_BMV = torch.zeros(*state.ids_BM.shape, self.facts.vocabulary, device=state.ids_BM.device)
        ready_B = torch.full_like(state.masks_B, self.most == 0)
        return {**plain, "logs_BMV": none_BMV, "ready_B": ready_B}

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
        ready_B = view.state.memory["ready_B"] > 0
        all_B = ready_B & (_moved(view) < self.settings.stop)
        return (best_BM | (all_B[:, None] & view.able_BM)) & ready_B[:, None]

    def remembered(self, view: View, new: AxisState, commit_BM: Tensor, change: Revision) -> AxisState:
        """Keep mixtures and distributions, and end refinement where it is over."""
        over_B = (_moved(view) < self.settings.settled) | (view.info.step + 1 >= self.most)
        ready_B = (new.memory["ready_B"] > 0) | over_B
        kept = super().remembered(view, new, commit_BM, change)
        assert isinstance(view, Settling)
        return kept.remember(logs_BMV=view.logs_BMV, ready_B=ready_B.to(new.memory["ready_B"]))

    def mixed(self, view: View, m_BME: Tensor) -> Tensor:
        """Return m moved towards the mean of the nucleus, the further the lower the entropy."""
        u_BME = nucleus_mean(view.p_BMV, self.embed.weight, self.settings.top_p)
        w_BM = self.settings.weight * (1 - view.entropy_BM / math.log(self.facts.vocabulary)).clamp(min=0)
        return mixture(m_BME, u_BME, w_BM, "linear")

    def cap(self, block: Block) -> Tensor:
        """Return the budget's steps, or one per open position and those of refinement."""
        return super().cap(block) + (self.most if self.uncapped else 0)


def nucleus_mean(p_BMV: Tensor, table_VE: Tensor, top_p: float) -> Tensor:
    """Return the mean embedding of the likeliest tokens that hold a mass of top_p, `[B, M, E]`.

    The likeliest `FEW` are sorted first, and all of them only where these hold less.
    """
    p_RV = p_BMV.flatten(0, 1)
    weights_RV = torch.zeros_like(p_RV)
    short_R = _weigh(p_RV, weights_RV, top_p, min(FEW, p_RV.shape[-1]))
    if bool(short_R.any()):
        whole_RV = torch.zeros_like(p_RV[short_R])
        _weigh(p_RV[short_R], whole_RV, top_p, p_RV.shape[-1])
        weights_RV[short_R] = whole_RV
    weights_RV /= weights_RV.sum(-1, keepdim=True).clamp(min=torch.finfo(p_RV.dtype).tiny)
    return (weights_RV.to(table_VE.dtype) @ table_VE).view(*p_BMV.shape[:2], -1)


def _weigh(p_RV: Tensor, weights_RV: Tensor, top_p: float, most: int) -> Tensor:
    """Write the nucleus of at most `most` tokens into zeros; return where it may go on, `[R]`."""
    best_RT, ids_RT = p_RV.topk(most, dim=-1)
    sums_RT = best_RT.cumsum(-1)
    weights_RV.scatter_(-1, ids_RT, best_RT * (sums_RT - best_RT < top_p))
    return (sums_RT[:, -1] < top_p) & (best_RT[:, -1] > 0)


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
