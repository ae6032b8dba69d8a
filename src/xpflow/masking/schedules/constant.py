"""Masked diffusion: every place has the same alpha, so every order of decisions is as likely as any other."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from xpflow.masking.alpha import Alpha, powers
from xpflow.masking.schedule import Rule, Schedule, Values


class ConstantSettings(Values):
    """Settings of `constant`."""

    power: float = Field(default=1.0, gt=0, description="w of alpha = 1 - t^w; no bound depends on it")


class Constant(Schedule):
    """alpha = 1 - t^w (MDLM, arXiv 2406.07524, at w = 1)."""

    def __init__(self, settings: ConstantSettings) -> None:
        self.power = settings.power

    def alpha(self, ids_BL: Tensor, open_BL: Tensor) -> Alpha:
        """Return one power for all places."""
        return powers(torch.full(ids_BL.shape, self.power, dtype=torch.float64, device=ids_BL.device))


SCHEDULE = Rule(
    ConstantSettings, Constant, "one alpha for all places: masked diffusion", ({}, {"power": 0.7})
)
