"""Autoregressive: one place after the other, from left to right; `smoothing` lets go of that a little.

alpha_i = clip(L (1 - t) - (i - 1), 0, 1) makes the bound the exact autoregressive likelihood.
Deviation: the paper's smoothed form of it (arXiv 2602.02112) was not at hand; here a share of masked
diffusion is mixed in.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from xpflow.masking.alpha import Alpha, ranked
from xpflow.masking.schedule import Rule, Schedule, Values, smoothed

SMOOTHING = "Share of masked diffusion that is mixed in; 0: the order is strict"


class OrderedSettings(Values):
    """Settings of `ordered`."""

    smoothing: float = Field(default=0.0, ge=0, lt=1, description=SMOOTHING)


class Ordered(Schedule):
    """A window of time for each place."""

    def __init__(self, settings: OrderedSettings) -> None:
        self.smoothing = settings.smoothing

    def alpha(self, ids_BL: Tensor, open_BL: Tensor) -> Alpha:
        """Return the windows, the first place's at the end of time."""
        length = ids_BL.shape[1]
        rank_BL = torch.arange(length, device=ids_BL.device).expand(ids_BL.shape)
        return smoothed(ranked(rank_BL, length), self.smoothing, ids_BL)


SCHEDULE = Rule(
    OrderedSettings, Ordered, "one place after the other: autoregressive", ({}, {"smoothing": 0.05})
)
