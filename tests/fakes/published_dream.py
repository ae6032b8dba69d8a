"""Dream's sampling loop for one prompt at temperature 0, written from the published `_sample`.

It gets logits that are not moved and moves them itself. Two departures, both arguments of ours: the mask is
never predicted, and the grid of times ends a little below 0 rather than above, so that the number of tokens
of a step, which is rounded down, is the even quota (published: eps = 1e-3, and the first of N steps writes
nothing).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def sample(
    unmoved_logits: Callable[[Tensor], Tensor],
    prompt: list[int],
    length: int,
    steps: int,
    algorithm: str,
    mask: int,
    eps: float = -1e-4,
) -> list[int]:
    """Return the tokens of the response."""
    x = torch.tensor([prompt + [mask] * length])
    times = torch.linspace(1, eps, steps + 1)
    for i in range(steps):
        open_S = x[0] == mask
        logits = unmoved_logits(x)
        logits = torch.cat([logits[:, :1], logits[:, :-1]], dim=1)
        logits[..., mask] = -torch.inf
        p_MV = logits[0, open_S].softmax(-1)
        confidence_M, x0_M = p_MV.max(-1)
        share = 1 - times[i + 1] / times[i]
        if algorithm == "origin":
            assert steps == 1, "places are drawn at random before the last step"
            chosen_M = torch.ones_like(x0_M, dtype=torch.bool)
        else:
            if algorithm == "entropy":
                confidence_M = (p_MV * torch.log(p_MV + 1e-10)).sum(-1)
            count = int(open_S.sum() * share) if i < steps - 1 else int(open_S.sum())
            chosen_M = torch.zeros_like(x0_M, dtype=torch.bool)
            chosen_M[confidence_M.topk(count).indices] = True
        x[0, open_S] = torch.where(chosen_M, x0_M, mask)
    return x[0, len(prompt) :].tolist()
