"""What a decode cost: forwards, batch rows and positions. Legend: B rows."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Cost:
    """What rows of a decode cost, `[B]` each.

    passes_B: forwards with the row in them, one after the other (NFE); rows_B: batch rows summed over them;
    positions_B: positions fed, summed over both, padding of the batch aside.
    """

    passes_B: Tensor
    rows_B: Tensor
    positions_B: Tensor

    @classmethod
    def none(cls, like_B: Tensor) -> Cost:
        """Return that nothing was spent."""
        return cls(*(torch.zeros_like(like_B) for _ in range(3)))

    def cpu(self) -> Cost:
        """Return the cost on the CPU."""
        return Cost(self.passes_B.cpu(), self.rows_B.cpu(), self.positions_B.cpu())

    def add(self, rows_B: Tensor, other: Cost) -> None:
        """Add what some rows cost, given by index, in place."""
        for one in fields(self):
            getattr(self, one.name)[rows_B] += getattr(other, one.name)
