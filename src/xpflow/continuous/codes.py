"""Codes: a unit vector e(v) for every token, and the signal-to-noise ratio at which they are told apart.

A token is seen as z = s e(v) + sqrt(s) noise (DSL, arXiv 2602.16169; DSL-LLaDA, arXiv 2606.01024). Codes have
length 1, so that p(v | z) is proportional to p(v) exp(<z, e(v)>): s cancels, and no reader needs to know it.
Legend: V vocabulary, C width of a code, n draws.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

ERROR = 1e-3  # of the nearest code, below which a token counts as read
DRAWS = 32_768  # of token and noise that the error is measured with
AT_A_TIME = 2**25  # numbers of a table of draws and codes


def unit_codes(vocabulary: int, width: int, generator: torch.Generator) -> Tensor:
    """Draw a direction for every token: float32 [V, C], each of length 1."""
    codes_VC = torch.randn(vocabulary, width, generator=generator)
    unit_VC: Tensor = codes_VC / codes_VC.norm(dim=-1, keepdim=True)
    return unit_VC


@lru_cache(maxsize=2)
def codes_of_seed(vocabulary: int, width: int, seed: int) -> tuple[Tensor, float]:
    """Return codes [V, C] and their s_max, on the CPU, drawn from a seed; they are shared: change a copy."""
    generator = torch.Generator().manual_seed(seed)
    codes_VC = unit_codes(vocabulary, width, generator)
    return codes_VC, largest_snr(codes_VC, generator)


def noisy_code(codes_VC: Tensor, ids: Tensor, snr: Tensor, noise: Tensor) -> Tensor:
    """Return z = s e(x) + sqrt(s) noise, [..., C], for ids and ratios [...] and N(0, 1) noise [..., C]."""
    s = snr[..., None]
    return s * codes_VC[ids] + s.sqrt() * noise


def largest_snr(
    codes_VC: Tensor, generator: torch.Generator, error: float = ERROR, draws: int = DRAWS
) -> float:
    """Return s_max: the smallest s whose nearest code is wrong less often than `error`, up to 3 digits.

    With x and its noise fixed, code v is nearer than x's up to one s,
        (<noise, e(v) - e(x)> / (1 - <e(v), e(x)>))^2,
    and farther beyond. So every draw needs one s, and s_max is a quantile of them: nothing is searched for.
    Tokens count equally.
    """
    needed_n = thresholds(codes_VC, generator, draws)
    found = float(needed_n.topk(math.ceil(error * draws)).values[-1])
    digit = 10.0 ** (math.floor(math.log10(found)) - 2) if found > 0 else 1.0
    return float(f"{max(1, math.ceil(found / digit)) * digit:.3g}")


def thresholds(codes_VC: Tensor, generator: torch.Generator, draws: int) -> Tensor:
    """Return the s beyond which the nearest code is the right one, for draws of token and noise, [n]."""
    vocabulary, width = codes_VC.shape
    size, found = max(1, AT_A_TIME // vocabulary), []
    for first in range(0, draws, size):
        count = min(size, draws - first)
        ids_n = torch.randint(vocabulary, (count,), generator=generator)
        noise_nC = torch.randn(count, width, generator=generator).to(codes_VC)
        ids_n = ids_n.to(codes_VC.device)
        own_nC = codes_VC[ids_n]
        ahead_nV = noise_nC @ codes_VC.T - (noise_nC * own_nC).sum(-1, keepdim=True)
        apart_nV = 1 - own_nC @ codes_VC.T
        ratio_nV = ahead_nV / apart_nV.clamp(min=torch.finfo(codes_VC.dtype).eps)
        ratio_nV.scatter_(1, ids_n[:, None], 0.0)
        found.append(ratio_nV.max(-1).values.clamp(min=0).square())
    return torch.cat(found)
