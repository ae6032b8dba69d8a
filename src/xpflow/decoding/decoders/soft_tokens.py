"""Soft tokens: masks carry a mixture of what the last forward predicted there; tokens stay hard.

Three published decoders in one: `geometry: spherical` is "Rethinking Soft Tokens" (arXiv 2609.37391; weight
0.3, 3 tokens for code), `linear` its control, and `weighting: entropy` is Soft-Masked diffusion (arXiv
2510.17206) with fixed scalars, `weighting: learned` with those of the weights: the objective `soft_masked`
trains them on the line (`geometry: linear`), with as many tokens as its `top`. In all of them the mixture has
no memory: it is made anew from each forward. Only masks of the block are mixed. Commits by mask prediction's
quota, by a threshold or by an entropy budget: each as its own decoder does.

Deviation: `state: persistent` is no paper's. There what a mask showed moves on towards the prediction by the
same weight, x <- x + w (u - x), as flow's states do by a learned step.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from xpflow.continuous.soft_mask import SoftMask
from xpflow.decoding.axes.commits import above, at_least, by_entropy
from xpflow.decoding.axes.feedback import Geometry, SoftStepper, mixture, top_mean
from xpflow.decoding.axes.general import AxisSettings
from xpflow.decoding.axes.view import View, entropy
from xpflow.decoding.entry import Decoder, Knob
from xpflow.decoding.own_modules import own_module
from xpflow.decoding.stepper import Setup
from xpflow.decoding.tokens import most_confident, require_tokens


class SoftTokensSettings(AxisSettings):
    """Settings of `soft_tokens`."""

    weight: float = Field(default=0.3, ge=0.0, le=1.0, description="Share of the prediction at a mask")
    top: int = Field(default=3, ge=1, description="Tokens whose embeddings make the prediction's")
    geometry: Geometry = Field(
        default="spherical",
        description="Along the sphere, along the line (its control), or the line at the mask's norm",
    )
    weighting: Literal["constant", "entropy", "learned"] = Field(
        default="constant",
        description="entropy: weight * sigmoid(slope (-H - center)) at each mask, as Soft-Masked; learned: "
        "the same with the weights' own three numbers",
    )
    state: Literal["recomputed", "persistent"] = Field(
        default="recomputed",
        description="The mask's share is anew in every mixture, or what the mask showed last moves on",
    )
    slope: float = Field(default=6.67, description="Of `weighting: entropy`; per nat")
    center: float = Field(default=-0.75, description="Of `weighting: entropy`; -H in nats at half weight")
    rule: Literal["quota", "threshold", "entropy"] = Field(
        default="threshold",
        description="What commits: mask prediction's quota, a threshold, an entropy budget",
    )
    threshold: float = Field(default=0.9, ge=0.0, le=1.0, description="Of `rule: threshold`")
    strict: bool = Field(default=False, description="conf > threshold rather than >=")
    gamma: float = Field(default=0.1, description="Of `rule: entropy`; nats")


class Mixing:
    """What a mask shows after a forward, as settings say; a probe asks it without decoding.

    Raises DecodingError where the settings ask for learned scalars, and the weights bring none.
    """

    def __init__(self, model: Any, settings: SoftTokensSettings) -> None:
        self.settings, self.table_VE = settings, model.get_input_embeddings().weight
        if settings.weighting == "learned":
            found = own_module(model, "soft_mask", "soft_masked", SoftMask.of_state)
            self.soft_mask = found.to(self.table_VE.device)

    def __call__(self, p_BKV: Tensor, m_BKE: Tensor, x_BKE: Tensor) -> Tensor:
        """Return the mixtures `[B, K, E]` after predictions p; plain masks are m, and x was shown last."""
        return self.moved(self.target(p_BKV), entropy(p_BKV), m_BKE, x_BKE)

    def target(self, p_BKV: Tensor) -> Tensor:
        """Return the mean of the best tokens, `[B, K, E]`."""
        return top_mean(p_BKV, self.table_VE, self.settings.top)

    def moved(self, u_BME: Tensor, entropy_BM: Tensor, m_BME: Tensor, x_BME: Tensor) -> Tensor:
        """Return m, or what was shown last, moved towards targets u."""
        chosen, w_BM = self.settings, torch.full_like(m_BME[..., 0], self.settings.weight)
        if chosen.weighting == "learned":
            w_BM = self.soft_mask(entropy_BM)
        elif chosen.weighting == "entropy":
            w_BM = w_BM * (chosen.slope * (-entropy_BM - chosen.center)).sigmoid()
        return mixture(m_BME if chosen.state == "recomputed" else x_BME, u_BME, w_BM, chosen.geometry)


class SoftTokens(SoftStepper):
    """The stepper of `soft_tokens`."""

    settings: SoftTokensSettings

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        require_tokens("top", self.settings.top, setup.facts.vocabulary)
        self.mixing = Mixing(setup.model, self.settings)

    def commits(self, view: View) -> Tensor:
        """Return the masks that the rule takes, and the best in any case."""
        chosen, block = self.settings, view.info.block
        if chosen.rule == "quota":
            quota = self.schedule.quota(view.info.step, view.state.masks_B)
            return most_confident(view.c_BM, quota, chosen.tie_break, block)
        if chosen.rule == "threshold":
            able_BM = above(view.c_BM, chosen.threshold, chosen.strict)
            return at_least(able_BM, view.c_BM, 1, chosen.tie_break, block)
        order_BM = (-view.entropy_BM).masked_fill(~view.able_BM, -torch.inf)
        fits_BM = by_entropy(order_BM, view.entropy_BM, view.able_BM, chosen.gamma)
        return at_least(fits_BM, order_BM, 1, chosen.tie_break, block)

    def mixed(self, view: View, m_BME: Tensor, kept_BM: Tensor) -> Tensor:
        """Return m, or what was shown last, moved towards the mean of the best tokens."""
        u_BME = view.spread(self.mixing.target(view.p_BKV))
        return self.mixing.moved(u_BME, view.entropy_BM, m_BME, view.state.memory["x_BME"])


DECODER = Decoder(
    settings=SoftTokensSettings,
    make=SoftTokens,
    about="masks carry a mixture of the last prediction, on the sphere or on the line",
    title="soft tokens",
    source="Rethinking Soft Tokens, arXiv 2609.37391; Soft-Masked diffusion, arXiv 2510.17206",
    nfe="adaptive",
    shown=("geometry", "rule", "threshold"),
    knob=Knob("threshold", 0.0, 1.0),
    examples=({}, {"rule": "quota", "weight": 0.5, "top": 4}, {"state": "persistent", "weight": 0.5}),
    only_with={
        **dict.fromkeys(
            ("slope", "center"), ("weighting: entropy", lambda settings: settings.weighting == "entropy")
        ),
        **dict.fromkeys(
            ("threshold", "strict"), ("rule: threshold", lambda settings: settings.rule == "threshold")
        ),
        "gamma": ("rule: entropy", lambda settings: settings.rule == "entropy"),
        **dict.fromkeys(
            ("top", "geometry", "weighting", "state"),
            ("a weight above 0", lambda settings: settings.weight > 0 or settings.weighting == "learned"),
        ),
        "weight": ("a weighting that is not learned", lambda settings: settings.weighting != "learned"),
    },
)
