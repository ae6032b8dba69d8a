"""Sampling: the reverse process in finite steps, from all masks to a sentence.

In a step from t to s an open place is decided with probability (alpha_s - alpha_t) / (1 - alpha_t), which for
alpha = 1 - t^w is 1 - (s / t)^w, and its word is drawn from the denoiser (arXiv 2602.02112, Sec. 4). Places
that are decided in one step are drawn independently: what that loses is a total correlation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from xpflow.masking.alpha import Alpha
from xpflow.masking.bound import Denoiser, Reverse

Network = Callable[[Tensor, Tensor], tuple[Tensor, Alpha]]
"""(ids, open) -> log p(x_i = v) [B, L, V] and the reverse alphas, by one forward."""


@dataclass(frozen=True, slots=True)
class Sampled:
    """Sentences [B, L], and the forwards that each needed: steps in which it still had an open place."""

    ids_BL: Tensor
    nfe_B: Tensor


def network(denoiser: Denoiser, reverse: Reverse) -> Network:
    """Return a denoiser together with a schedule that costs no forward of its own."""
    return lambda ids_BL, open_BL: (denoiser(ids_BL, open_BL), reverse(ids_BL, open_BL))


def sample(
    predict: Network, shape: tuple[int, int], steps: int, generator: torch.Generator, hidden: int = 0
) -> Sampled:
    """Draw sentences of `shape` [B, L] in at most `steps` steps of equal time.

    Args:
        hidden: the id that stands at open places.
    """
    ids_BL = torch.full(shape, hidden)
    open_BL, nfe_B = torch.ones(shape, dtype=torch.bool), torch.zeros(shape[0], dtype=torch.long)
    times = torch.linspace(1, 0, steps + 1, dtype=torch.float64).tolist()
    for t, s in pairwise(times):
        rows_R = open_BL.any(-1).nonzero().squeeze(-1)
        if not len(rows_R):
            break
        seen_RL, hidden_RL = ids_BL[rows_R], open_BL[rows_R]
        log_p_RLV, alpha = predict(seen_RL, hidden_RL)
        coin_RL = torch.rand(seen_RL.shape, generator=generator, dtype=torch.float64)
        now_RL = hidden_RL & (coin_RL < chance(alpha, t, s))
        drawn_RL = draw_words(log_p_RLV, generator)
        ids_BL[rows_R] = torch.where(now_RL, drawn_RL, seen_RL)
        open_BL[rows_R] = hidden_RL & ~now_RL
        nfe_B[rows_R] += 1
    return Sampled(ids_BL, nfe_B)


def chance(alpha: Alpha, t: float, s: float) -> Tensor:
    """Return the probability with which an open place is decided in the step from t to s, [B, L].

    A place that the schedule has seen for certain by t, and that is open all the same, is decided now.
    """
    like_B = torch.ones(1, dtype=torch.float64)
    before_BL, after_BL = alpha.masked(t * like_B), alpha.masked(s * like_B)
    return torch.where(before_BL > 0, 1 - after_BL / torch.where(before_BL > 0, before_BL, 1.0), 1.0)


def draw_words(log_p_BLV: Tensor, generator: torch.Generator) -> Tensor:
    """Draw a word of each place from log-probabilities, [B, L], in float64."""
    return words_at(log_p_BLV, torch.rand(log_p_BLV.shape[:-1], generator=generator, dtype=torch.float64))


def words_at(log_p_BLV: Tensor, uniform_BL: Tensor) -> Tensor:
    """Return the word of each place at which its cumulative probability passes a uniform number, [B, L]."""
    total_BLV = log_p_BLV.double().exp().cumsum(-1)
    index_BL = (total_BLV <= uniform_BL[..., None].double() * total_BLV[..., -1:]).sum(-1)
    return index_BL.clamp(max=log_p_BLV.shape[-1] - 1)
