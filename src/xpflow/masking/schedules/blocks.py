"""Block diffusion: blocks from left to right, masked diffusion within each (BD3-LM, arXiv 2503.09573)."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from xpflow.masking.alpha import Alpha, ranked
from xpflow.masking.schedule import Rule, Schedule, Values, smoothed
from xpflow.masking.schedules.ordered import SMOOTHING


class BlocksSettings(Values):
    """Settings of `blocks`."""

    block: int = Field(default=4, gt=0, description="Places of a block; the last one may be shorter")
    smoothing: float = Field(default=0.0, ge=0, lt=1, description=SMOOTHING)


class Blocks(Schedule):
    """A window of time for each block."""

    def __init__(self, settings: BlocksSettings) -> None:
        self.block, self.smoothing = settings.block, settings.smoothing

    def alpha(self, ids_BL: Tensor, open_BL: Tensor) -> Alpha:
        """Return the windows, the first block's at the end of time."""
        rank_BL = (torch.arange(ids_BL.shape[1], device=ids_BL.device) // self.block).expand(ids_BL.shape)
        return smoothed(ranked(rank_BL, -(-ids_BL.shape[1] // self.block)), self.smoothing, ids_BL)


SCHEDULE = Rule(
    BlocksSettings,
    Blocks,
    "blocks from left to right, masked diffusion in each",
    ({"block": 3}, {"smoothing": 0.1}),
)
