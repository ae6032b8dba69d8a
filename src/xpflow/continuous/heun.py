"""Heun's step for y = z / s, where dz = x(z) ds + n sqrt(ds) N: the sampler of DSL-LLaDA (arXiv 2606.01024).

    dy = (x(z) - y) / s ds + n / s sqrt(ds) N

x(z) is the expected code given z. With n = 0 it is an ordinary equation of second order in the step; with
n = 1 the localisation process, whose z at s is s e + sqrt(s) N for a token drawn from the model. Two calls of
a model make one step. Tensors [..., C]; s and s' broadcast to them.
"""

from __future__ import annotations

from torch import Tensor


def ahead(y: Tensor, x: Tensor, s: Tensor, s_next: Tensor, kick: Tensor) -> Tensor:
    """Return y at s' by Euler's step, where x is the expected code at (y, s) and `kick` n sqrt(s' - s) N."""
    return y + (x - y) / s * (s_next - s) + kick / s


def corrected(
    y: Tensor, x: Tensor, y_ahead: Tensor, x_ahead: Tensor, s: Tensor, s_next: Tensor, kick: Tensor
) -> Tensor:
    """Return y at s' with the mean of both ends' drift and noise; x_ahead is that at (y_ahead, s')."""
    drift = ((x - y) / s + (x_ahead - y_ahead) / s_next) / 2
    return y + drift * (s_next - s) + (1 / s + 1 / s_next) / 2 * kick
