"""Signal-to-noise ratios: the law that training draws them from, and the grids that decoding walks.

The published numbers belong to s_max = 100 (DSL-LLaDA, arXiv 2606.01024, read from its public code); here all
are shares of s_max, which is that of the codes at hand (`codes.largest_snr`). Legend: B rows, K places.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

PUBLISHED = 100.0  # s_max of the constants
FIRST, LOW, HIGH = 0.01 / PUBLISHED, 7 / PUBLISHED, 74 / PUBLISHED  # where the grid's three parts meet


@dataclass(frozen=True, slots=True)
class SnrLaw:
    """The law of s for each token, in units in which s_max is 100.

    any_order: share of sequences in which a uniform number of tokens is revealed, s ~ U[0.8, 1] s_max, and
    the others are nearly masks, s ~ U[0, 0.01) s_max. In the rest every token has its own log s ~ N(mean,
    std^2), at most `cap`.
    """

    any_order: float = 0.1
    mean: float = 1.69
    std: float = 0.9
    cap: float = 40.0

    def draw(self, response_BK: Tensor, generator: torch.Generator) -> Tensor:
        """Draw s / s_max for every place, [B, K]; only response places are counted as a sequence's tokens."""
        rows, places = response_BK.shape
        coin_B, part_B = torch.rand(2, rows, generator=generator)
        order_BK = torch.rand(rows, places, generator=generator).masked_fill(~response_BK, 2.0)
        spread_BK = torch.rand(rows, places, generator=generator)
        normal_BK = torch.randn(rows, places, generator=generator)
        revealed_B = (part_B * response_BK.sum(-1)).floor()  # 0 to length - 1
        rank_BK = order_BK.argsort(-1).argsort(-1)
        reveal_BK = rank_BK < revealed_B[:, None]
        masks_BK = torch.where(reveal_BK, 0.8 + 0.2 * spread_BK, spread_BK / PUBLISHED)
        free_BK = (self.mean + self.std * normal_BK).exp().clamp(max=self.cap) / PUBLISHED
        return torch.where((coin_B < self.any_order)[:, None], masks_BK, free_BK)


def snr_grid(steps: int, snr_max: float) -> list[float]:
    """Return the steps + 1 ratios that a sampler walks, rising.

    Published ("sensitive"): geometric from 0.01 to 7 in 5 % of the steps, to 74 in 90 %, to 100 in the rest,
    at least one step in each of the first two. So up to 8 steps it ends at 74 % of s_max, and one step is
    none of its grids. Deviation: one step goes from the first ratio straight to 74 %.

    Args:
        steps: at least 1.
    """
    if steps == 1:
        return [FIRST * snr_max, HIGH * snr_max]
    first, second = max(1, steps // 20), max(1, 9 * steps // 10)
    grid = [FIRST]
    for end, count in ((LOW, first), (HIGH, second), (1.0, steps - first - second)):
        start = grid[-1]
        grid += [start * (end / start) ** (number / count) for number in range(1, count + 1)]
    return [snr_max * ratio for ratio in grid]


def steps_of(forwards: int) -> int:
    """Return the Heun steps of a published budget of forwards: half of it, and never fewer than 2."""
    return max(2, forwards // 2)


def noise_of_steps(steps: int) -> float:
    """Return the published scale of the sampler's noise: 0.1 to 4 steps, 0.05 to 8, 0.01 to 16, then 0.005.

    1 is the localisation process itself, dz = x(z) ds + sqrt(ds) N.
    """
    return 0.1 if steps <= 4 else 0.05 if steps <= 8 else 0.01 if steps <= 16 else 0.005
