"""A moving average of the weights in training: what is evaluated and kept in their place (MDLM: 0.9999).

    average <- average + (1 - d) (weights - average),  d = min(decay, (1 + n) / (10 + n)) at update n = 1, 2

The smaller decay of the first updates is that of MDLM's code: without it an average of 0.9999 is for
thousands of updates little but the weights of the start. Averages are fp32 where the weights are, and sharded
as they are: every process averages its own part, and nothing is sent.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

WARM = 10  # updates: the average of the first n is over about n / 10 of them


class Average:
    """The moving average of parameters.

    Args:
        named: the parameters that are trained, by name; the average starts from what they are. decay: its
        largest decay, in (0, 1).
    """

    def __init__(self, named: Iterable[tuple[str, nn.Parameter]], decay: float) -> None:
        self.weights, self.decay = dict(named), decay
        self.tensors: dict[str, Tensor] = {name: p.detach().clone() for name, p in self.weights.items()}

    @torch.no_grad()
    def update(self, number: int) -> None:
        """Take in the weights as they are after update `number`, which counts from 0."""
        share = 1.0 - min(self.decay, (2 + number) / (WARM + 1 + number))
        for name, average in self.tensors.items():
            own_part(average).lerp_(own_part(self.weights[name].detach()), share)

    @torch.no_grad()
    def place(self) -> None:
        """Put the average into the parameters, for good."""
        for name, average in self.tensors.items():
            own_part(self.weights[name].detach()).copy_(own_part(average))


def own_part(tensor: Any) -> Tensor:
    """Return this process's part of a sharded tensor, a plain one as it is; both share its memory."""
    part: Tensor = tensor.to_local() if hasattr(tensor, "to_local") else tensor
    return part
