"""LoMDM: alpha_i = 1 - t^(w_i), with powers from a head on the model's features (arXiv 2602.02112).

w_i = c1 + c2 (sigmoid(g_i) - mean_j sigmoid(g_j)). The order of decisions is then Plackett-Luce with weights
w (`xpflow.masking.orders`). The scores sum to zero, so the powers sum to c1 L: with the paper's (0.7, 0.65)
and L = 16 one place can be 2.0 times as likely as the others to come first, or 8.2 times less likely, and no
two places differ more. `wide` can express an order: w_i = c1 L softmax_i(width tanh(g_i / width)), with the
same sum. A head is one block and an MLP on the backbone's features, without their gradient.
Deviations: `wide` is ours; a head's last layer starts at zero, so that training starts from masked diffusion.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from xpflow.errors import ConfigError
from xpflow.masking.alpha import Alpha, powers
from xpflow.masking.schedule import LearnedSchedule, Rule, Values
from xpflow.models.layers import RMSNorm, initialise, rotary_tables
from xpflow.models.llada import LLaDABlock


class LearnedSettings(Values):
    """Settings of `learned`."""

    c1: float = Field(default=0.7, gt=0, description="Mean power")
    c2: float = Field(
        default=0.65, ge=0, description="Reach of the scores; below c1, so that powers stay positive"
    )
    form: Literal["paper", "wide"] = Field(default="paper", description="How scores become powers")
    width: float = Field(default=2.5, gt=0, description="Of `wide`: largest score, up or down")

    @model_validator(mode="after")
    def _require_positive_powers(self) -> Self:
        if self.form == "paper" and self.c2 >= self.c1:
            raise ValueError("c2 must be below c1: a power of 0 never masks")
        return self


class Learned(LearnedSchedule):
    """Powers from scores, and the heads that give them."""

    def __init__(self, settings: LearnedSettings) -> None:
        self.settings = settings

    def modules(self, config: Any) -> Mapping[str, nn.Module]:
        """Return both heads."""
        return {"order": OrderHead(config), "reverse": OrderHead(config)}

    def of_scores(self, scores_BL: Tensor) -> Alpha:
        """Return the powers of scores g."""
        return powers(self.powers(scores_BL.double()))

    def powers(self, scores_BL: Tensor) -> Tensor:
        """Return w, [B, L]; their sum is c1 L whatever the scores are."""
        chosen = self.settings
        if chosen.form == "paper":
            return chosen.c1 + chosen.c2 * normalised(scores_BL)
        flat_BL = chosen.width * (scores_BL / chosen.width).tanh()
        return chosen.c1 * scores_BL.shape[1] * flat_BL.softmax(-1)


def normalised(scores_BL: Tensor) -> Tensor:
    """Return sigmoid(g_i) - mean_j sigmoid(g_j): zero-sum, and within (-1, 1)."""
    share_BL = scores_BL.sigmoid()
    return share_BL - share_BL.mean(-1, keepdim=True)


class OrderHead(nn.Module):
    """A transformer block of the backbone's size and an MLP to one score for each place.

    Raises:
        ConfigError: the model is not dense and bidirectional.
    """

    def __init__(self, config: Any) -> None:
        super().__init__()
        if getattr(config, "model_type", "") != "llada" or getattr(config, "block_length", None):
            raise ConfigError(
                "an order head reads a dense, bidirectional model",
                hint="train a model of the architecture llada",
            )
        width = config.d_model
        self.head_width, self.theta = width // config.n_heads, config.rope_theta
        self.block = LLaDABlock(config)
        self.norm = RMSNorm(width, config.rms_norm_eps)
        self.inner, self.last = nn.Linear(width, width), nn.Linear(width, 1)
        with torch.no_grad():
            for module in self.modules():
                initialise(module, config.init_std, config.n_layers)
            nn.init.zeros_(self.inner.bias)
            nn.init.zeros_(self.last.weight)
            nn.init.zeros_(self.last.bias)

    def forward(self, features_BLD: Tensor) -> Tensor:
        """Return a score for each place, [B, L]."""
        cos_LR, sin_LR = rotary_tables(features_BLD.shape[1], self.head_width, self.theta, features_BLD)
        hidden_BLD = self.norm(self.block(features_BLD, cos_LR, sin_LR, None, None))
        scores_BL1: Tensor = self.last(nn.functional.silu(self.inner(hidden_BLD)))
        return scores_BL1.squeeze(-1)


SCHEDULE = Rule(
    LearnedSettings,
    Learned,
    "a power for each place, from a head on the model's features (LoMDM)",
    ({}, {"form": "wide"}),
)
