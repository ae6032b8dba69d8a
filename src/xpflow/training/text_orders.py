"""What the orders of a learned schedule are like, and whether places whose word is clear are decided early.

Deviation: the velocity A = w / t goes into a correlation as its logarithm, since at uniform times and powers
below 1 it has no variance (arXiv 2602.02112, Fig. 4, correlates A itself).
"""

from __future__ import annotations

import torch
from torch import Tensor

from xpflow.errors import ConfigError
from xpflow.masking import orders
from xpflow.masking.alpha import PowerWindows
from xpflow.masking.bound import nll_of
from xpflow.microtext.measure import Estimate
from xpflow.training.masked_model import evaluating
from xpflow.training.text_measure import TextModel
from xpflow.training.text_scores import OrderExample, OrderScores

ENTROPIES = 32  # sentences whose order's entropy is taken
EXAMPLES = 4


def order_scores(model: TextModel, ids_NL: Tensor, seed: int = 0) -> OrderScores:
    """Measure the orders that a learned schedule has for sentences.

    Raises:
        ConfigError: the schedule's orders are not Plackett-Luce (`masking.orders`).
    """
    with evaluating(model.student):
        alpha = model.forward(ids_NL)
    if not isinstance(alpha, PowerWindows) or bool((alpha.start_BL != 0).any() | (alpha.end_BL != 1).any()):
        raise ConfigError(
            "this schedule is not made of powers alone", hint="measure a learned one, or constant"
        )
    power_NL, places = alpha.power_BL, ids_NL.shape[1]
    few_ML = power_NL[:ENTROPIES]
    if places <= orders.EXACT_UP_TO:
        entropy_M = torch.cat([orders.entropy(part_BL) for part_BL in torch.split(few_ML, 16)])
    else:
        entropy_M = orders.sampled_entropy(few_ML, 16, torch.Generator().manual_seed(seed)).mean(0)
    correlation, within = word_correlations(model, ids_NL, alpha, seed)
    return OrderScores(
        entropy=float(entropy_M.mean()),
        entropy_of=len(entropy_M),
        most=orders.most_entropy(places),
        spread=float((power_NL.max(-1).values / power_NL.min(-1).values).mean()),
        first=Estimate.of(power_NL[:, 0] / power_NL.sum(-1)),
        powers=tuple(power_NL.mean(0).tolist()),
        examples=tuple(
            OrderExample(tuple(model.world.words[i] for i in row), tuple(power_L))
            for row, power_L in zip(ids_NL[:EXAMPLES].tolist(), power_NL.tolist(), strict=False)
        ),
        correlation=correlation,
        within=within,
    )


def word_correlations(
    model: TextModel, ids_NL: Tensor, alpha: PowerWindows, seed: int = 0
) -> tuple[float | None, float | None]:
    """Return how what decides a place early goes with the probability of its word: over all, and in a state.

    One state of each sentence, at a uniform time. The first is Pearson's correlation of log A and p over all
    masked places; the second that of the power and p, both less their means over a state's masked places.
    """
    generator = torch.Generator().manual_seed(seed)
    t_N = torch.rand(len(ids_NL), generator=generator, dtype=torch.float64)
    coin_NL = torch.rand(ids_NL.shape, generator=generator, dtype=torch.float64)
    open_NL = coin_NL < alpha.masked(t_N)
    with evaluating(model.student):
        word_NL = (-nll_of(model.denoiser(ids_NL, open_NL), ids_NL)).exp()
    speed_NL = alpha.power_BL.log() - t_N.log()[:, None]
    return (
        pearson(speed_NL[open_NL], word_NL[open_NL]),
        pearson(_centred(alpha.power_BL, open_NL)[open_NL], _centred(word_NL, open_NL)[open_NL]),
    )


def pearson(first_N: Tensor, second_N: Tensor) -> float | None:
    """Return Pearson's correlation, None where one of both is constant but for rounding."""
    pair_2N = torch.stack((first_N, second_N))
    spread = pair_2N.std(-1) if pair_2N.shape[1] > 1 else torch.zeros(2)
    if bool((spread <= 1e-12 * pair_2N.abs().amax(-1).clamp(min=1)).any()):
        return None
    return float(torch.corrcoef(pair_2N)[0, 1])


def _centred(values_NL: Tensor, open_NL: Tensor) -> Tensor:
    """Return values less their mean over the open places of a row."""
    mean_N = (values_NL * open_NL).sum(-1) / open_NL.sum(-1).clamp(min=1)
    return values_NL - mean_N[:, None]
