"""The fixed sentences of a world, and the endless stream that models are trained on.

Deviation from MicroPy: nothing is held out. The oracle is that of the whole language, so every split is drawn
from it independently, and a short sentence of a small world stands in several. What is new to a model is
another domain of the world (`World.domains`).
"""

from __future__ import annotations

import hashlib
from typing import Literal, get_args

import torch
from torch import Tensor

from xpflow.errors import DataError, nearest
from xpflow.microtext.world import World

Split = Literal["train", "validation", "test"]
VERSION = "microtext-1"
SIZES: dict[Split, int] = {"train": 16_384, "validation": 1_024, "test": 4_096}


def load(world: World, split: str) -> Tensor:
    """Return the sentences of a split as ids, long [N, L], always the same ones.

    Raises:
        DataError: there is no such split.
    """
    for one in get_args(Split):
        if one == split:
            return world.sample(SIZES[one], _generator(world, one))
    raise DataError(f"MicroText has no split {split!r}", hint=nearest(split, SIZES))


def stream(world: World, seed: int, update: int, count: int) -> Tensor:
    """Return the sentences [count, L] that a run of a seed trains on in an update: fresh ones in each."""
    return world.sample(count, _generator(world, f"stream/{seed}/{update}"))


def _generator(world: World, purpose: str) -> torch.Generator:
    digest = hashlib.sha256(f"{VERSION}/{world.name}/{purpose}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
