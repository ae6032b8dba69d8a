"""The orders in which places are decided under alpha = 1 - t^w: Plackett-Luce with weights w.

Mask times are U^(1 / w), and places are decided from the latest to the earliest. -log U^(1 / w) is
exponential with rate w, so the place decided first is i with probability w_i / sum w, and so on among what is
left. The main part of the bound is the mean over these orders of the autoregressive loss; constant powers
give the uniform order of masked diffusion (arXiv 2602.02112).
"""

from __future__ import annotations

from math import lgamma

import torch
from torch import Tensor

from xpflow.errors import ConfigError

EXACT_UP_TO = 16  # places: 2^16 sets of decided ones


def draw(power_BL: Tensor, generator: torch.Generator) -> Tensor:
    """Draw an order of decisions for each row, long [B, L]: the places, the first one first."""
    uniform_BL = torch.rand(power_BL.shape, generator=generator, dtype=torch.float64)
    return (-uniform_BL.log() / power_BL.double().cpu()).argsort(-1)


def log_prob(power_BL: Tensor, order_BL: Tensor) -> Tensor:
    """Return log p(order), [B]."""
    weight_BL = power_BL.double().gather(1, order_BL)
    left_BL = weight_BL.flip(-1).cumsum(-1).flip(-1)
    return (weight_BL.log() - left_BL.log()).sum(-1)


def first_of(power_BL: Tensor) -> Tensor:
    """Return p(place i is decided before place j), [B, L, L]."""
    power_BL = power_BL.double()
    return power_BL[:, :, None] / (power_BL[:, :, None] + power_BL[:, None, :])


def entropy(power_BL: Tensor) -> Tensor:
    """Return the entropy of the order, [B] in nats, exactly: a sum over the sets of what is decided.

    Raises:
        ConfigError: there are more than 16 places; see `sampled_entropy`.
    """
    rows, places = power_BL.shape
    if places > EXACT_UP_TO:
        raise ConfigError(
            f"an exact entropy needs 2^{places} sets of places",
            hint=f"up to {EXACT_UP_TO} places; orders.sampled_entropy estimates it",
        )
    power_BL = power_BL.double().cpu()
    set_N, bit_L = torch.arange(2**places), 2 ** torch.arange(places)
    inside_NL = (set_N[:, None] & bit_L) > 0
    left_BN = power_BL @ (~inside_NL).double().T
    reached_BN = torch.zeros(rows, len(set_N), dtype=torch.float64)
    reached_BN[:, 0] = 1
    total_B = torch.zeros(rows, dtype=torch.float64)
    for size in range(places):
        now_N = set_N[inside_NL.sum(-1) == size]
        for place in range(places):
            from_N = now_N[~inside_NL[now_N, place]]
            step_BN = power_BL[:, place, None] / left_BN[:, from_N]
            mass_BN = reached_BN[:, from_N] * step_BN
            total_B -= (mass_BN * step_BN.log()).sum(-1)
            reached_BN[:, from_N + bit_L[place]] += mass_BN
    return total_B


def sampled_entropy(power_BL: Tensor, draws: int, generator: torch.Generator) -> Tensor:
    """Return an unbiased estimate of the entropy, [draws, B]: along drawn orders, that of each next place."""
    found = []
    for _ in range(draws):
        weight_BL = power_BL.double().cpu().gather(1, draw(power_BL, generator))
        left_BL = weight_BL.flip(-1).cumsum(-1).flip(-1)
        each_BL = torch.special.xlogy(weight_BL, weight_BL).flip(-1).cumsum(-1).flip(-1)
        found.append((left_BL.log() - each_BL / left_BL).sum(-1))
    return torch.stack(found)


def most_entropy(places: int) -> float:
    """Return log L!, the entropy of the uniform order."""
    return lgamma(places + 1)
