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
from xpflow.decoding.tokens import TokenState, most_confident


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


class LatentRefinement(SoftStepper):
    """The stepper of `latent_refinement`."""

    settings: LatentRefinementSettings

    def first_memory(self, state: AxisState, block: Block, canvas: Canvas) -> dict[str, Tensor]:
        """Return plain masks and no distribution; `ready_B`: whether refinement is over."""
        plain = super().first_memory(state, block, canvas)
        none_BMV = torch.zeros(*state.ids_BM.shape, self.facts.vocabulary, device=state.ids_BM.device)
        ready_B = torch.full_like(state.masks_B, self.most == 0)
        return {**plain, "p_BMV": none_BMV, "ready_B": ready_B}

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
        all_B = ready_B & (self._moved(view) < self.settings.stop)
        return (best_BM | (all_B[:, None] & view.able_BM)) & ready_B[:, None]

    def remembered(self, view: View, new: AxisState, commit_BM: Tensor, change: Revision) -> AxisState:
        """Keep mixtures and distributions, and end refinement where it is over."""
        over_B = (self._moved(view) < self.settings.settled) | (view.info.step + 1 >= self.most)
        ready_B = (new.memory["ready_B"] > 0) | over_B
        kept = super().remembered(view, new, commit_BM, change)
        return kept.remember(p_BMV=view.p_BMV, ready_B=ready_B.to(new.memory["ready_B"]))

    def mixed(self, view: View, m_BME: Tensor) -> Tensor:
        """Return m moved towards the mean of the nucleus, the further the lower the entropy."""
        sorted_BMV, ids_BMV = view.p_BMV.sort(dim=-1, descending=True)
        inside_BMV = sorted_BMV.cumsum(-1) - sorted_BMV < self.settings.top_p
        part_BMV = sorted_BMV * inside_BMV
        part_BMV = part_BMV / part_BMV.sum(-1, keepdim=True).clamp(min=torch.finfo(part_BMV.dtype).tiny)
        weights_BMV = torch.zeros_like(part_BMV).scatter_(-1, ids_BMV, part_BMV)
        table_VE = self.embed.weight
        u_BME = weights_BMV.to(table_VE.dtype) @ table_VE
        w_BM = self.settings.weight * (1 - view.entropy_BM / math.log(self.facts.vocabulary)).clamp(min=0)
        return mixture(m_BME, u_BME, w_BM, "linear")

    def cap(self, block: Block) -> Tensor:
        """Return the budget's steps, or one per open position and those of refinement."""
        return super().cap(block) + (self.most if self.uncapped else 0)

    def _moved(self, view: View) -> Tensor:
        """Return the mean KL of distributions to those of the step before, `[B]`; infinite at first."""
        if view.info.step == 0:
            return torch.full(view.masked_BM.shape[:1], torch.inf, device=view.masked_BM.device)
        now_BMV, old_BMV = view.p_BMV, view.state.memory["p_BMV"]
        tiny = torch.finfo(now_BMV.dtype).tiny
        kl_BM = (now_BMV * ((now_BMV.clamp(min=tiny)).log() - old_BMV.clamp(min=tiny).log())).sum(-1)
        kl_BM = kl_BM.clamp(min=0.0)  # rounding: what stands still is no less than 0
        counts_BM = view.able_BM if self.settings.over == "masks" else view.info.block.open_BM
        mean_B: Tensor = kl_BM.masked_fill(~counts_BM, 0.0).sum(-1) / counts_BM.sum(-1).clamp(min=1)
        return mean_B


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
