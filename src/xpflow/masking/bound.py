"""The negative ELBO of a masking process and its two parts, and how both are estimated with little noise.

With A the velocity of the forward process and A' that of the reverse one, the bound is the integral over t
of E sum_i 1[i is masked] { -A_i log p(x_i | seen) + A_i log(A_i / A'_i) - (A_i - A'_i) } (arXiv 2602.02112,
Eq. 2). The first part is L_main. The rest is L_velocity, a Kullback-Leibler divergence of rates: never
negative, and zero where the reverse process decides as the forward one masks.

An exact denoiser has L_main = -log p(x) under every schedule, so its own integrand is a control variate: what
a model loses against it (`above`) has little variance, and no estimate of the entropy enters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from xpflow.masking.alpha import Alpha, uniform_numbers, working_masks

Denoiser = Callable[[Tensor, Tensor], Tensor]
"""(ids [B, L], open [B, L]) -> log p(x_i = v | places that are not open), [B, L, V]."""
Forward = Callable[[Tensor], Alpha]
"""Whole sentences [B, L] -> their alphas."""
Reverse = Callable[[Tensor, Tensor], Alpha]
"""(ids [B, L], open [B, L]) -> the alphas that the reverse process decides by."""


@dataclass(frozen=True, slots=True)
class Parts:
    """L_main and L_velocity of each sentence, [B] in nats, float64."""

    main_B: Tensor
    velocity_B: Tensor

    @property
    def total_B(self) -> Tensor:
        """Return the bound."""
        return self.main_B + self.velocity_B

    def scaled(self, weight_B: Tensor) -> Parts:
        """Return both parts times a weight."""
        return Parts(self.main_B * weight_B, self.velocity_B * weight_B)


@dataclass(frozen=True, slots=True)
class Draws:
    """One draw of the bound for each sentence, and what of it lies above an exact denoiser's, or None.

    The mean of `above.main_B` is L_main minus -log p(x), the floor; the velocity's part is the same in both.
    """

    parts: Parts
    above: Parts | None


def integrand(forward: Alpha, reverse: Alpha, t_B: Tensor, masked_BL: Tensor, nll_BL: Tensor) -> Parts:
    """Return both parts of the integrand at t for one draw of masks.

    Args:
        nll_BL: -log p(x_i | seen); only its values at masked places count.
    """
    rate_BL, other_BL = forward.velocity(t_B), reverse.velocity(t_B)
    main_BL = torch.where(masked_BL & (rate_BL > 0), rate_BL * nll_BL.double(), 0.0)
    both_BL = (rate_BL > 0) & (other_BL > 0)
    log_BL = torch.where(both_BL, rate_BL, 1.0).log() - torch.where(both_BL, other_BL, 1.0).log()
    log_BL = torch.where((rate_BL > 0) & ~both_BL, torch.inf, log_BL)  # what is masked is never decided
    velocity_BL = torch.where(rate_BL > 0, rate_BL * log_BL, 0.0) - (rate_BL - other_BL)
    return Parts(main_BL.sum(-1), torch.where(masked_BL, velocity_BL, 0.0).sum(-1))


def nll_of(log_p_BLV: Tensor, ids_BL: Tensor) -> Tensor:
    """Return -log p(x_i), [B, L], of the words that stand there; on the device that they are on."""
    here_BL1 = log_p_BLV.gather(-1, ids_BL[..., None].to(log_p_BLV.device))
    return -here_BL1.squeeze(-1).to(ids_BL.device)


def draw_bound(
    denoiser: Denoiser,
    forward: Forward,
    reverse: Reverse,
    ids_BL: Tensor,
    generator: torch.Generator,
    oracle: Denoiser | None = None,
) -> Draws:
    """Draw a time and masks for each sentence and return the bound's unbiased estimates.

    Args:
        ids_BL: whole sentences; a denoiser sees them with `open` saying which places it must not look at, and
        has to hide those itself. oracle: an exact denoiser of the language that the sentences come from.
    """
    time_BU, place_BLU = uniform_numbers(len(ids_BL), ids_BL.shape[1], generator)
    alpha = forward(ids_BL)
    t_B = alpha.time(time_BU)
    masked_BL, chance_B = working_masks(alpha, t_B, place_BLU)
    back, weight_B = reverse(ids_BL, masked_BL), chance_B / alpha.density(t_B)
    nll_BL = nll_of(denoiser(ids_BL, masked_BL), ids_BL)
    parts = integrand(alpha, back, t_B, masked_BL, nll_BL).scaled(weight_B)
    if oracle is None:
        return Draws(parts, None)
    exact_BL = nll_of(oracle(ids_BL, masked_BL), ids_BL)
    above = integrand(alpha, back, t_B, masked_BL, nll_BL.double() - exact_BL).scaled(weight_B)
    return Draws(parts, above)


def loss_of_two(
    alpha: Alpha, t_B: Tensor, masked: tuple[Tensor, Tensor], parts: tuple[Parts, Parts]
) -> Tensor:
    """Return the loss of two independent draws of masks at t, [B], whose gradient is that of the bound.

    Args:
        alpha: the forward process, with a gradient where it is learned. masked: both draws, [B, L]. parts:
        what each costs, weighted by 1 / density of t.
    """
    first, second = parts
    log_first_B, log_second_B = (alpha.log_prob(t_B, one_BL) for one_BL in masked)
    score_B = leave_one_out(first.total_B, second.total_B, log_first_B, log_second_B)
    return (first.total_B + second.total_B) / 2 + score_B


def leave_one_out(first_B: Tensor, second_B: Tensor, log_first_B: Tensor, log_second_B: Tensor) -> Tensor:
    """Return a term, 0 in value, that adds the score-function gradient of two draws, [B].

    With losses L_1, L_2 of two independent draws of masks, (log q_1 - log q_2) (L_1 - L_2) / 2 has, in
    expectation, the gradient of E L with respect to q: each draw is the other's baseline.

    Args:
        first_B, second_B: losses of the draws. log_first_B, log_second_B: their log q, with a gradient.
    """
    found_B = (log_first_B - log_second_B) * (first_B - second_B).detach() / 2
    return found_B - found_B.detach()
