"""Infinite masks: every masked place carries noise of its own, and the model reads E[MASK] + g(noise).

The noise is drawn per place, and g ends in a layer that starts at zero, so that the model is at first the
plain one, bit for bit, and takes over its weights (Yoo et al., arXiv 2605.10518; sizes and initialisation
follow the public code). With noise that is independent of the sentence, the bound's best model ignores it:
only a coupling of noise and sentence makes it useful. Then even one step can decide dependent words together,
since all places see all noise: cut the space of noise into cells of the right probability and let every place
read the cell (`cell_of`, after their Theorem 4.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from xpflow.errors import ConfigError

Kind = Literal["uniform", "gaussian", "table"]
Partition = Literal["signs", "sum"]


@dataclass(frozen=True, slots=True)
class NoiseShape:
    """What noise is: `width` numbers from U[-1, 1] or N(0, 1); or, as a table, one of `masks` mask tokens.

    A table of one mask is the plain model.
    """

    kind: Kind = "uniform"
    width: int = 16
    masks: int = 2

    @property
    def numbers(self) -> int:
        """Return how many numbers stand for the noise of a place: a mask of a table is one."""
        return 1 if self.kind == "table" else self.width

    def draw(self, rows: int, places: int, generator: torch.Generator) -> Tensor:
        """Draw noise, float32 [rows, places, numbers], on the CPU."""
        shape = (rows, places, self.numbers)
        if self.kind == "gaussian":
            return torch.randn(shape, generator=generator)
        uniform = torch.rand(shape, generator=generator)
        return uniform * 2 - 1 if self.kind == "uniform" else (uniform * self.masks).floor()


class MaskNoise(nn.Module):
    """g: noise [..., numbers] to what is added to the mask's embedding, [..., D]; 0 at first."""

    def __init__(self, shape: NoiseShape, width: int) -> None:
        super().__init__()
        self.shape = shape
        if shape.kind == "table":
            self.table = nn.Parameter(torch.zeros(shape.masks, width))
            return
        first, last = nn.Linear(shape.width, 4 * width), nn.Linear(4 * width, width, bias=False)
        nn.init.trunc_normal_(first.weight, std=0.02)
        nn.init.zeros_(first.bias)
        nn.init.zeros_(last.weight)
        self.layers = nn.Sequential(first, nn.GELU(), last)

    def forward(self, noise: Tensor) -> Tensor:
        """Return g(noise)."""
        if self.shape.kind == "table":
            return self.table[noise.squeeze(-1).long()]
        found: Tensor = self.layers(noise)
        return found


@dataclass(frozen=True, slots=True)
class Fates:
    """What becomes of a masked place from t back to s: it is decided, keeps its noise, or gets new noise."""

    decide: Tensor
    keep: Tensor
    redraw: Tensor


def fates(alpha_s: Tensor, alpha_t: Tensor) -> Fates:
    """Return the posterior of a masked place under a forward process whose every jump draws new noise.

    A token, or a mask with its noise, stays as it is from s to t with probability alpha_t / alpha_s, and
    becomes a mask with new noise otherwise. Keeping noise fixed along a path joins `keep` and `redraw`.

    Args:
        alpha_s, alpha_t: probability of being seen, 0 <= alpha_t <= alpha_s <= 1 and alpha_t < 1.
    """
    stays = torch.where(alpha_s > 0, alpha_t / torch.where(alpha_s > 0, alpha_s, 1.0), 1.0)
    open_t = 1 - alpha_t
    return Fates(
        (alpha_s - alpha_t) / open_t, (stays - alpha_t) / open_t, (1 - stays) * (1 - alpha_s) / open_t
    )


def cell_of(noise_BLW: Tensor, size: int, partition: Partition = "signs") -> Tensor:
    """Return the word that a sentence's noise stands for, [B]; all of `size` words are as likely.

    signs: the signs of the first numbers of the first place, read as bits; `size` is a power of two. sum:
    which of the first `size` numbers, summed over places, is largest.

    Raises:
        ConfigError: the noise has too few numbers, or `size` is no power of two.
    """
    width = noise_BLW.shape[-1]
    if partition == "sum":
        if size > width:
            raise ConfigError(f"{size} words need as many numbers of noise, found {width}", hint="widen it")
        return noise_BLW[..., :size].sum(1).argmax(-1)
    bits = (size - 1).bit_length()
    if 2**bits != size or bits > width:
        raise ConfigError(
            f"signs of {width} numbers do not cut noise into {size} cells",
            hint="take a power of two, noise that is wide enough, or the partition sum",
        )
    return ((noise_BLW[:, 0, :bits] > 0) * 2 ** torch.arange(bits, device=noise_BLW.device)).sum(-1)
