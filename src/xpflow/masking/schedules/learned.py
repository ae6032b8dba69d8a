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
from xpflow.models.architectures import ARCHITECTURES
from xpflow.models.layers import initialise


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
    """A transformer block of the backbone's kind and size and an MLP to one score for each place.

    Raises:
        ConfigError: the model is not bidirectional, or its architecture offers no block.
    """

    def __init__(self, config: Any) -> None:
        super().__init__()
        kind = getattr(config, "model_type", "")
        block = ARCHITECTURES[kind].block if kind in set(ARCHITECTURES) else None
        if block is None or getattr(config, "block_length", None):
            able = [name for name in ARCHITECTURES.own if ARCHITECTURES[name].block]
            raise ConfigError(
                "an order head reads a bidirectional model, through one more block of its kind",
                hint=f"train a model of one of the architectures {', '.join(able)}",
            )
        width = config.hidden_size
        self.block = block()(config)
        self.inner, self.last = nn.Linear(width, width), nn.Linear(width, 1)
        self.block.draw()
        with torch.no_grad():
            for layer in (self.inner, self.last):
                initialise(layer, 0.0, config.num_hidden_layers)
            for zero in (self.inner.bias, self.last.weight, self.last.bias):
                nn.init.zeros_(zero)

    def forward(self, features_BLD: Tensor) -> Tensor:
        """Return a score for each place, [B, L]."""
        scores_BL1: Tensor = self.last(nn.functional.silu(self.inner(self.block(features_BLD))))
        return scores_BL1.squeeze(-1)


SCHEDULE = Rule(
    LearnedSettings,
    Learned,
    "a power for each place, from a head on the model's features (LoMDM)",
    ({}, {"form": "wide"}),
)
