"""A plain batch-1 transcription of DSL-LLaDA's sampler from its description, for token identity.

As in `published_decoders`; it knows a forward, codes and embeddings, and nothing of our converter, grids or
states. Legend: i position, z noisy code, y = z / s, e codes, K tokens of an expected code.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

from fakes.published_decoders import Task


def grid_of(n: int, s_max: float) -> list[float]:
    """Return 0.01 to 7 to 74 to 100 of 100, geometric, by 5, 90 and 5 % of n steps."""
    n1, n2 = max(1, math.floor(0.05 * n + 1e-9)), max(1, math.floor(0.9 * n + 1e-9))
    grid = [0.01]
    for end, count in ((7.0, n1), (74.0, n2), (100.0, n - n1 - n2)):
        ratio = (end / grid[-1]) ** (1 / count) if count > 0 else 1.0
        for _ in range(count):
            grid.append(grid[-1] * ratio)
    return [s * s_max / 100 for s in grid]


def dsl(
    task: Task, codes: Tensor, s_max: float, normal: Callable[[int], Tensor], k: int, ode: bool
) -> tuple[list[int], int]:
    """The SDE by Heun's method, or without its noise the ODE, with twice the beta of training (1)."""
    size, mask = len(codes), task.mask

    def embedded(z: Tensor) -> Tensor:
        """Softmax over all tokens and a mask that scores log V."""
        scores = torch.cat((2 * codes @ z, torch.tensor([math.log(size)], dtype=z.dtype)))
        p = scores.softmax(0)
        return p[:-1] @ task.table + p[-1] * task.table[mask]

    def logits_at(y: Tensor, s: float, first: int, places: range) -> Tensor:
        logits = task.look(task.embedded({i: embedded(s * y[i - first]) for i in places}))
        logits[:, mask] = -torch.inf
        return logits

    def expected(y: Tensor, s: float, first: int, places: range) -> Tensor:
        logits, x = logits_at(y, s, first, places), torch.zeros_like(y)
        for i in places:
            p, best = logits[i].softmax(-1).topk(k)
            x[i - first] = p @ codes[best] / p.sum()
        return x

    for low, high in task.spans():
        first, places, budget = high - task.block, range(low, high), task.steps(low, high)
        scale = 0.0 if ode else 0.1 if budget <= 8 else 0.05 if budget <= 16 else 0.01
        grid, y = grid_of(max(1, budget // 2), s_max), normal(task.block)
        y = y / y.norm(dim=-1, keepdim=True)
        for s, after in pairwise(grid):
            width, x = after - s, expected(y, s, first, places)
            w = torch.zeros_like(y) if ode else math.sqrt(width) * normal(task.block)
            guess = y + (x - y) / s * width + scale / s * w
            x_guess = expected(guess, after, first, places)
            drift = (x - y) / s + (x_guess - guess) / after
            y = y + drift / 2 * width + (scale / s + scale / after) / 2 * w
        logits = logits_at(y, grid[-1], first, places)
        for i in places:
            task.x[i] = int(logits[i].argmax())
    return task.result()
