"""The block-causal key-value cache of LLaDA2: exact, because a finished block never sees a later one.

Keys and values lie at their absolute positions. A forward over a window of consecutive positions writes its
own there and attends to everything up to the end of each query's block. A block's keys and values are final
only once its tokens are: so whoever decodes runs the block once more when it is finished (in the window of
the next block's first forward, which costs no forward of its own).
Shape letters: as in layers.py; W positions of a window, E cached positions in use.
Source: LLaDA2.0 generate's block-causal mask; the numbers are those of a forward without it up to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor


class BlockCache:
    """Keys and values `[layers][B, G, S, K]` of some rows; undefined beyond a row's last window."""

    def __init__(self, keys: list[Tensor], values: list[Tensor]) -> None:
        self.keys, self.values = keys, values

    @classmethod
    def empty(cls, layers: int, shape: tuple[int, int, int, int], like: Tensor) -> BlockCache:
        """Return a cache of `shape` [B, G, S, K] for each layer, with dtype and device of `like`."""
        keys, values = ([like.new_zeros(shape) for _ in range(layers)] for _ in range(2))
        return cls(keys, values)

    @property
    def rows(self) -> int:
        """Return B."""
        return len(self.keys[0])

    def take(self, keep_B: Tensor) -> BlockCache:
        """Return a copy of some rows, given by index."""
        return BlockCache([k[keep_B] for k in self.keys], [v[keep_B] for v in self.values])

    def window(self, start_B: Tensor, width: int) -> CacheWindow:
        """Return the view of a forward over positions start_B .. start_B + width - 1 of each row."""
        first, last = int(start_B.min()), int(start_B.max())
        positions_BW = start_B[:, None] + torch.arange(width, device=start_B.device)
        return CacheWindow(self, positions_BW, last + width, first if first == last else None)


@dataclass(frozen=True, slots=True)
class CacheWindow:
    """A forward's place in a cache: its positions, E, and where it starts if that is the same in all rows."""

    cache: BlockCache
    positions_BW: Tensor
    end: int
    start: int | None
    rows_B1: Tensor = field(init=False)

    def __post_init__(self) -> None:
        rows_B = torch.arange(len(self.positions_BW), device=self.positions_BW.device)
        object.__setattr__(self, "rows_B1", rows_B[:, None])

    def extend(self, layer: int, k_BGWK: Tensor, v_BGWK: Tensor) -> tuple[Tensor, Tensor]:
        """Write a layer's keys and values; return all that its queries may see, [B, G, E, K]."""
        seen = []
        for buffer, new in ((self.cache.keys[layer], k_BGWK), (self.cache.values[layer], v_BGWK)):
            if self.start is not None:
                buffer[:, :, self.start : self.end] = new
            else:
                buffer[self.rows_B1, :, self.positions_BW] = new.transpose(1, 2)
            seen.append(buffer[:, :, : self.end])
        return seen[0], seen[1]

    def mask(self, block: int) -> Tensor | None:
        """Return who sees whom, bool [B or 1, 1, W, E]; None where every query sees everything.

        Blocks are aligned to absolute position 0.
        """
        width = self.positions_BW.shape[1]
        if self.start is not None and self.start // block == (self.start + width - 1) // block:
            return None
        key_E = torch.arange(self.end, device=self.positions_BW.device) // block
        query_BW = (self.positions_BW if self.start is None else self.positions_BW[:1]) // block
        return (key_E <= query_BW[..., None])[:, None]
