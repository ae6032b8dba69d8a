"""Sampling with noisy masks: what becomes of the noise of places that a step leaves open.

kept       it stays along the whole path: what couplings are made with, and students are taught with
posterior  it stays or is drawn anew, as the reverse of the forward process says (`mask_noise.fates`)
fresh      it is drawn anew at every step
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor

from xpflow.masking.mask_noise import NoiseShape, fates
from xpflow.masking.reverse import Sampled, draw_words

NoisyDenoiser = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(ids [B, L], open [B, L], noise [B, L, W]) -> log p(x_i = v) [B, L, V]."""
Path = Literal["kept", "posterior", "fresh"]


def sample_noisy(
    denoiser: NoisyDenoiser,
    noise_BLW: Tensor,
    shape: NoiseShape,
    steps: int,
    generator: torch.Generator,
    path: Path = "kept",
    hidden: int = 0,
) -> Sampled:
    """Draw sentences from noise that each starts with, in at most `steps` steps of alpha = 1 - t.

    A step that decides no place of a sentence asks nothing and costs it no forward, so a sentence takes at
    most L forwards, however many steps there are.

    Args:
        noise_BLW: the noise of every place at t = 1. hidden: the id that stands at open places.
    """
    rows, places = noise_BLW.shape[:2]
    ids_BL = torch.full((rows, places), hidden)
    open_BL, nfe_B = torch.ones(rows, places, dtype=torch.bool), torch.zeros(rows, dtype=torch.long)
    noise_BLW = noise_BLW.clone()
    for t, s in pairwise(torch.linspace(1, 0, steps + 1, dtype=torch.float64)):
        odds = fates(1 - s, 1 - t)
        coin_BL = torch.rand(rows, places, generator=generator, dtype=torch.float64)
        now_BL = open_BL & (coin_BL < odds.decide)
        busy_B = now_BL.any(-1)
        if bool(busy_B.any()):
            log_p_RLV = denoiser(ids_BL[busy_B], open_BL[busy_B], noise_BLW[busy_B])
            drawn_RL = draw_words(log_p_RLV, generator)
            ids_BL[busy_B] = torch.where(now_BL[busy_B], drawn_RL, ids_BL[busy_B])
            open_BL &= ~now_BL
            nfe_B += busy_B
        if path != "kept":
            new_BLW = shape.draw(rows, places, generator)
            anew_BL = open_BL & ((coin_BL >= odds.decide + odds.keep) | (path == "fresh"))
            noise_BLW = torch.where(anew_BL[..., None], new_BLW, noise_BLW)
    return Sampled(ids_BL, nfe_B)
