"""Ancestral sampling of a masked diffusion model (MDLM), and with remasking on top (ReMDM).

alpha_t = 1 - t falls from step to step by 1 / S. A mask is drawn with probability (a_s - (1 - sigma) a_t) /
(1 - a_t), a token becomes a mask again with probability sigma <= sigma_max = min(1, (1 - a_s) / a_t).
remask:
    never    sigma = 0: MDLM
    cap      sigma = min(eta, sigma_max);  rescale  sigma = eta sigma_max
    conf     sigma_i = sigma_max softmax_i(-p of the token when it was drawn), over the block's tokens
    loop     alpha rises to `loop_alpha` by t = `loop_on`, stays until `loop_off` with sigma = eta, rises to 1
Source: Sahoo et al. 2024, arXiv 2406.07524; Wang et al. 2025, arXiv 2503.00307. eta there is for 1,024
steps. Deviations: tokens that stay keep their value (the public code draws them again from a one-hot); the
last step draws all that is left, so no forward is added for it; a step over an end of the loop keeps to both
sides' alpha (there: to the side that it starts on). `conf` gives masks sigma 0, so that more are left than
a_s says, as published.
"""

from __future__ import annotations

from typing import Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from xpflow.decoding.axes.general import EVENTS, AxisStepper, Revision
from xpflow.decoding.axes.view import AxisState, View
from xpflow.decoding.blocks import Block
from xpflow.decoding.canvas import Canvas
from xpflow.decoding.entry import Decoder
from xpflow.decoding.stepper import Logits, StepInfo
from xpflow.decoding.tokens import HOTTEST, TokenSettings, TokenState, gumbel_argmax

ROUNDING = 1e-12  # of alphas: they are computed from t


class AncestralSettings(TokenSettings):
    """Settings of `ancestral`."""

    temperature: float = Field(
        default=1.0, ge=0.0, le=HOTTEST, description="Of the tokens that are drawn; 0: argmax"
    )
    top_p: float = Field(default=1.0, gt=0.0, le=1.0, description="Draw from the likeliest tokens of this p")
    remask: Literal["never", "cap", "rescale", "conf", "loop"] = Field(
        default="never", description="How tokens become masks again"
    )
    eta: float = Field(default=0.02, ge=0.0, le=1.0, description="Of cap, rescale and loop")
    loop_on: float = Field(default=0.55, gt=0.0, lt=1.0, description="t at which the loop begins")
    loop_off: float = Field(default=0.05, gt=0.0, lt=1.0, description="t at which it ends")
    loop_alpha: float = Field(default=0.9, gt=0.0, lt=1.0, description="Share of tokens in the loop")

    @model_validator(mode="after")
    def _require_a_loop(self) -> Self:
        if self.remask == "loop" and self.loop_on <= self.loop_off:
            raise ValueError(
                f"loop_on ({self.loop_on:g}) must be above loop_off ({self.loop_off:g}): t falls"
            )
        return self


class Ancestral(AxisStepper):
    """The stepper of `ancestral`."""

    settings: AncestralSettings

    def first_memory(self, state: AxisState, block: Block, canvas: Canvas) -> dict[str, Tensor]:
        """Return that no token was drawn."""
        return {"drawn_BM": torch.full(state.ids_BM.shape, torch.nan, device=state.ids_BM.device)}

    def scored(self, state: AxisState, logits: Logits, info: StepInfo) -> View:
        """Return predictions, with a coin for every place, tokens drawn where it says so."""
        size = (state.ids_BM.shape[1],)
        coins = [self.random.uniform(row, size, torch.float64) for row in info.rows_B.tolist()]
        coin_BM = torch.stack(coins)
        now_BM = state.masked_BM & (coin_BM < self._chance(state, info))
        return super().scored(state.remember(coin_BM=coin_BM, now_BM=now_BM), logits, info)

    def commits(self, view: View) -> Tensor:
        """Return the masks that are drawn in this step."""
        return view.able_BM & view.state.memory["now_BM"]

    def _chance(self, state: AxisState, info: StepInfo) -> Tensor:
        """Return the probability with which a mask is drawn in this step, `[B, 1]` or `[B, M]`."""
        before_B1, after_B1 = self._alphas(info)
        confident = self.settings.remask == "conf"
        sigma_BM = torch.zeros_like(before_B1) if confident else self._sigma(state, info)
        return (after_B1 - (1 - sigma_BM) * before_B1) / (1 - before_B1)

    def _choose(self, state: TokenState, values_BKV: Tensor, logits: Logits, info: StepInfo) -> Tensor:
        """Return tokens drawn from the likeliest ones where one is drawn now, the argmax elsewhere.

        Values of what can not be drawn there become -inf.
        """
        assert isinstance(state, AxisState)
        ids_BK, now_BK = values_BKV.argmax(-1), state.memory["now_BM"]
        if logits.index_BK is not None:
            now_BK = now_BK.gather(1, logits.index_BK)
        if logits.read_BK is not None:
            now_BK = now_BK & logits.read_BK
        if self.settings.temperature == 0.0 or not bool(now_BK.any()):
            return ids_BK
        values_RV = values_BKV[now_BK]
        if self.settings.top_p < 1.0:
            sorted_RV, order_RV = values_RV.softmax(-1).sort(dim=-1, descending=True)
            beyond_RV = sorted_RV.cumsum(-1) - sorted_RV >= self.settings.top_p
            values_RV = values_RV.masked_fill(beyond_RV.gather(-1, order_RV.argsort(-1)), -torch.inf)
            values_BKV[now_BK] = values_RV
        shapes = [(count, values_RV.shape[-1]) for count in now_BK.sum(-1).tolist()]
        drawn = [
            self.random.uniform(row, shape, torch.float64)
            for row, shape in zip(info.rows_B.tolist(), shapes, strict=True)
        ]
        ids_BK[now_BK] = gumbel_argmax(values_RV, torch.cat(drawn), self.settings.temperature)
        return ids_BK

    def revises(self, view: View, commit_BM: Tensor) -> Revision:
        """Return the tokens that become masks again."""
        remask_BM = view.decided_BM & (view.state.memory["coin_BM"] < self._sigma(view.state, view.info))
        return Revision(remask_BM, torch.zeros_like(remask_BM))

    def remembered(self, view: View, new: AxisState, commit_BM: Tensor, change: Revision) -> AxisState:
        """Keep the probability with which each token was drawn."""
        drawn_BM = torch.where(commit_BM, view.found.confidence, new.memory["drawn_BM"])
        return new.remember(drawn_BM=drawn_BM.masked_fill(change.remask_BM, torch.nan))

    def finished(self, state: object, block: Block) -> Tensor:
        """Return the rows without a mask, where none can come back."""
        if self.settings.remask != "never":
            return torch.zeros_like(block.steps_B, dtype=torch.bool)
        assert isinstance(state, AxisState)
        return super().finished(state, block)

    def _alphas(self, info: StepInfo) -> tuple[Tensor, Tensor]:
        """Return alpha before and after this step, `[B, 1]`."""
        steps_B1 = info.block.steps_B[:, None].double()
        return self._alpha(1 - info.step / steps_B1), self._alpha(1 - (info.step + 1) / steps_B1)

    def _alpha(self, t_B1: Tensor) -> Tensor:
        chosen = self.settings
        if chosen.remask != "loop":
            return 1 - t_B1
        rising_B1 = chosen.loop_alpha * (1 - t_B1) / (1 - chosen.loop_on)
        ending_B1 = 1 - (1 - chosen.loop_alpha) * t_B1 / chosen.loop_off
        return torch.where(t_B1 < chosen.loop_off, ending_B1, rising_B1.clamp(max=chosen.loop_alpha))

    def _sigma(self, state: AxisState, info: StepInfo) -> Tensor:
        """Return the probability with which a token becomes a mask again, `[B, 1]` or `[B, M]`."""
        before_B1, after_B1 = self._alphas(info)
        most_B1 = ((1 - after_B1) / before_B1.clamp(min=torch.finfo(torch.float64).tiny)).clamp(max=1.0)
        kind, eta = self.settings.remask, self.settings.eta
        if kind == "cap":
            return most_B1.clamp(max=eta)
        if kind == "rescale":
            return eta * most_B1
        if kind == "loop":
            return eta * ((after_B1 - before_B1).abs() < ROUNDING).double()
        if kind == "conf":
            decided_BM = info.block.open_BM & ~state.masked_BM
            doubt_BM = (-state.memory["drawn_BM"].double()).masked_fill(~decided_BM, -torch.inf)
            return most_B1 * doubt_BM.softmax(-1).nan_to_num()
        return torch.zeros_like(before_B1)


DECODER = Decoder(
    settings=AncestralSettings,
    make=Ancestral,
    about="ancestral sampling (MDLM), and remasking on top of it (ReMDM)",
    title="ancestral",
    source="MDLM, arXiv 2406.07524; ReMDM, arXiv 2503.00307",
    shown=("remask",),
    draws=lambda settings: True,
    events=EVENTS,
    examples=({}, {"remask": "cap", "eta": 0.2, "top_p": 0.9}),
    only_with={
        "top_p": ("a temperature above 0", lambda settings: settings.temperature > 0),
        "eta": (
            "remask: cap, rescale or loop",
            lambda settings: settings.remask in ("cap", "rescale", "loop"),
        ),
        **dict.fromkeys(
            ("loop_on", "loop_off", "loop_alpha"),
            ("remask: loop", lambda settings: settings.remask == "loop"),
        ),
    },
)
