"""Random numbers per row: a row's draws depend on its own seed only, never on its batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class RowNoise:
    """One generator per input row, advanced by that row's draws alone."""

    def __init__(self, seeds: Sequence[int], device: torch.device) -> None:
        self.device = device
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def uniform(self, row: int, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Draw from U[0, 1) for one input row."""
        return torch.rand(shape, generator=self._generators[row], dtype=dtype).to(self.device)


def row_seeds(count: int, generator: torch.Generator | None) -> list[int]:
    """Draw one seed per row from a generator (seed 0 where none is given)."""
    source = generator if generator is not None else torch.Generator().manual_seed(0)
    return [int(seed) for seed in torch.randint(2**62, (count,), generator=source, device=source.device)]
