"""Sampling: the reverse process in finite steps, from all masks to a sentence.

In a step from t to s an open place is decided with probability (alpha_s - alpha_t) / (1 - alpha_t), which for
alpha = 1 - t^w is 1 - (s / t)^w, and its word is drawn from the denoiser (arXiv 2602.02112). Places
that are decided in one step are drawn independently: what that loses is a total correlation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from xpflow.errors import DecodingError
from xpflow.masking.alpha import Alpha
from xpflow.masking.bound import Denoiser, Reverse

Network = Callable[[Tensor, Tensor], tuple[Tensor, Alpha]]
"""(ids, open) -> log p(x_i = v) [B, L, V] and the reverse alphas, by one forward."""


@dataclass(frozen=True, slots=True)
class Sampled:
    """Sentences [B, L], and the forwards that each was asked in, [B]."""

    ids_BL: Tensor
    nfe_B: Tensor


def network(denoiser: Denoiser, reverse: Reverse) -> Network:
    """Return a denoiser together with a schedule that follows from the sentence (`sample`'s `fixed`)."""
    return lambda ids_BL, open_BL: (denoiser(ids_BL, open_BL), reverse(ids_BL, open_BL))


def sample(
    predict: Network,
    shape: tuple[int, int],
    steps: int,
    generator: torch.Generator,
    fixed: Reverse | None = None,
) -> Sampled:
    """Draw sentences of `shape` [B, L] in at most `steps` steps of equal time.

    Args:
        predict: what is asked where something may be decided. fixed: the reverse schedule where it needs no
        forward: a sentence of which a step decides nothing is then not asked about, and costs nothing.
    """
    ids_BL = torch.zeros(shape, dtype=torch.long)
    open_BL, nfe_B = torch.ones(shape, dtype=torch.bool), torch.zeros(shape[0], dtype=torch.long)
    times = torch.linspace(1, 0, steps + 1, dtype=torch.float64).tolist()
    for t, s in pairwise(times):
        coin_BL = torch.rand(shape, generator=generator, dtype=torch.float64)
        asked_B = open_BL.any(-1)
        if fixed is not None:
            asked_B = (open_BL & (coin_BL < chance(fixed(ids_BL, open_BL), t, s))).any(-1)
        if not bool(asked_B.any()):
            continue
        seen_RL, open_RL = ids_BL[asked_B], open_BL[asked_B]
        log_p_RLV, alpha = predict(seen_RL, open_RL)
        now_RL = open_RL & (coin_BL[asked_B] < chance(alpha, t, s))
        ids_BL[asked_B] = torch.where(now_RL, draw_words(log_p_RLV, generator), seen_RL)
        open_BL[asked_B] = open_RL & ~now_RL
        nfe_B += asked_B
    return Sampled(ids_BL, nfe_B)


def chance(alpha: Alpha, t: float, s: float) -> Tensor:
    """Return the probability with which an open place is decided in the step from t to s, [B, L].

    A place that the schedule has seen for certain by t, and that is open all the same, is decided now.
    """
    like_B = torch.ones(1, dtype=torch.float64)
    before_BL, after_BL = alpha.masked(t * like_B), alpha.masked(s * like_B)
    return torch.where(before_BL > 0, 1 - after_BL / torch.where(before_BL > 0, before_BL, 1.0), 1.0)


def draw_words(log_p_BLV: Tensor, generator: torch.Generator) -> Tensor:
    """Draw a word of each place from log-probabilities on any device, [B, L] on the CPU, in float64.

    Where no word is possible (all are -inf, as the oracle of a language says beside words that never stand
    together) it is the first.

    Raises:
        DecodingError: they are no numbers; the first word would be drawn, and nobody told.
    """
    if not bool((log_p_BLV.amax(-1) < torch.inf).all()):  # NaN passes through a maximum, and is not less
        raise DecodingError(
            "the model's probabilities are not finite: there is no word to draw",
            hint="its weights are finite, so logits overflow: use runtime.dtype: float32, or train again",
        )
    uniform_BL = torch.rand(log_p_BLV.shape[:-1], generator=generator, dtype=torch.float64)
    return words_at(log_p_BLV, uniform_BL.to(log_p_BLV.device)).cpu()


def words_at(log_p_BLV: Tensor, uniform_BL: Tensor) -> Tensor:
    """Return the word of each place at which its cumulative probability passes a uniform number, [B, L].

    Where no word is possible it is the first.
    """
    total_BLV = log_p_BLV.double().exp().cumsum(-1)
    index_BL = (total_BLV <= uniform_BL[..., None].double() * total_BLV[..., -1:]).sum(-1)
    return index_BL.clamp(max=log_p_BLV.shape[-1] - 1) * (total_BLV[..., -1] > 0)
