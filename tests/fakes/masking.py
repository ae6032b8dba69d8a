"""Masking without sampling: denoisers that are tables, every sentence, the bound as a sum over masks."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import torch
from torch import Tensor

from xpflow.masking.bound import Denoiser, Forward, Parts, Reverse, integrand, nll_of

LENGTH, SIZE, NODES = 3, 2, 40


def table_denoiser(seed: int, length: int = LENGTH, size: int = SIZE) -> Denoiser:
    """Return random conditionals, one table for each masked sentence: consistent with no joint law."""
    generator = torch.Generator().manual_seed(seed)
    shape = ((size + 1) ** length, length, size)
    table = torch.randn(shape, generator=generator, dtype=torch.float64).log_softmax(-1)
    digits = (size + 1) ** torch.arange(length)

    def denoise(ids_BL: Tensor, open_BL: Tensor) -> Tensor:
        return table[(ids_BL.masked_fill(open_BL, size) * digits).sum(-1)]

    return denoise


def every(length: int, size: int) -> Tensor:
    return torch.tensor(list(product(range(size), repeat=length)))


def quadrature(pieces: list[float], nodes: int = NODES, squeeze: int = 1) -> tuple[Tensor, Tensor]:
    """Return times and weights of Gauss-Legendre on each piece; `squeeze` p takes t = start + width u^p."""
    at, weight = np.polynomial.legendre.leggauss(nodes)
    u, du = torch.tensor((at + 1) / 2), torch.tensor(weight / 2)
    t, w = [], []
    for start, end in pairwise(pieces):
        t.append(start + (end - start) * u**squeeze)
        w.append((end - start) * squeeze * u ** (squeeze - 1) * du)
    return torch.cat(t), torch.cat(w)


def exact_bound(
    denoiser: Denoiser,
    forward: Forward,
    reverse: Reverse,
    ids_BL: Tensor,
    pieces: list[float],
    squeeze: int = 1,
    nodes: int = NODES,
) -> Parts:
    """Return the bound of each sentence, [B], with a gradient in whatever the schedules have one in."""
    times, weights = quadrature(pieces, nodes, squeeze)
    rows, places = ids_BL.shape
    alpha = forward(ids_BL)
    main_B = velocity_B = torch.zeros(rows, dtype=torch.float64)
    for number in range(1, 2**places):
        masked_BL = ((number >> torch.arange(places)) & 1).bool().expand(rows, -1)
        nll_BL, back = nll_of(denoiser(ids_BL, masked_BL), ids_BL), reverse(ids_BL, masked_BL)
        for t, weight in zip(times, weights, strict=True):
            t_B = t.expand(rows)
            share_B = weight * alpha.log_prob(t_B, masked_BL).exp()
            if not bool((share_B > 0).any()):
                continue
            parts = integrand(alpha, back, t_B, masked_BL, nll_BL)
            main_B = main_B + torch.where(share_B > 0, share_B * parts.main_B, 0.0)
            velocity_B = velocity_B + torch.where(share_B > 0, share_B * parts.velocity_B, 0.0)
    return Parts(main_B, velocity_B)
