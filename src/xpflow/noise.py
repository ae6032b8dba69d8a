"""Noise: what a position holds before it is decided, and the random numbers per row that it is drawn with.

What "not yet decided" looks like belongs to a model and its training objective, so decoders ask the model's
noise instead of comparing with a mask id. Three kinds: one mask id; several mask ids, one drawn per position;
a Gaussian start, which is an embedding and no token at all (`NO_TOKEN` stands for it among ids).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from xpflow.errors import DecodingError

NO_TOKEN = -1


class RowRandom:
    """One generator per input row: a row's draws depend on its own seed, never on its batch."""

    def __init__(self, seeds: Sequence[int], device: torch.device) -> None:
        self.device = device
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def uniform(self, row: int, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Draw from U[0, 1) for one input row."""
        return torch.rand(shape, generator=self._generators[row], dtype=dtype).to(self.device)

    def normal(self, row: int, shape: tuple[int, ...]) -> Tensor:
        """Draw from N(0, 1) in float32 for one input row."""
        return torch.randn(shape, generator=self._generators[row]).to(self.device)

    def integers(self, row: int, count: int, below: int) -> Tensor:
        """Draw `count` integers in [0, below) for one input row, on the CPU."""
        return torch.randint(below, (count,), generator=self._generators[row])


def row_seeds(count: int, generator: torch.Generator | None) -> list[int]:
    """Draw one seed per row from a generator (seed 0 where none is given)."""
    source = generator if generator is not None else torch.Generator().manual_seed(0)
    return [int(seed) for seed in torch.randint(2**62, (count,), generator=source, device=source.device)]


class Noise(Protocol):
    """What open positions hold. `ids`: the vocabulary's ids that are never an answer (none: no token is)."""

    @property
    def ids(self) -> tuple[int, ...]:
        """Return the ids of the vocabulary that stand for noise."""

    @property
    def draws(self) -> bool:
        """Return whether the start is drawn: two seeds start from different noise."""

    def start(self, random: RowRandom, row: int, count: int) -> Tensor:
        """Return the ids that `count` open positions of a row start with, `[count]` on the CPU."""

    def is_open(self, ids: Tensor) -> Tensor:
        """Return where ids are noise, bool of the same shape."""

    def embeddings(self, random: RowRandom, row: int, shape: tuple[int, int]) -> Tensor | None:
        """Return the embeddings `[count, E]` that a row starts with; None: those of its ids."""


@dataclass(frozen=True, slots=True)
class OneMask:
    """One mask id."""

    id: int

    @property
    def ids(self) -> tuple[int, ...]:
        """Return the mask id."""
        return (self.id,)

    @property
    def draws(self) -> bool:
        """Return False: every start is the same."""
        return False

    def start(self, random: RowRandom, row: int, count: int) -> Tensor:
        """Return the mask id `count` times."""
        return torch.full((count,), self.id)

    def is_open(self, ids: Tensor) -> Tensor:
        """Return where the mask id stands."""
        return ids == self.id

    def embeddings(self, random: RowRandom, row: int, shape: tuple[int, int]) -> None:
        """Return None: the mask id has an embedding."""


@dataclass(frozen=True, slots=True)
class ManyMasks:
    """Several mask ids: every open position starts with one of them, drawn uniformly."""

    ids: tuple[int, ...]

    @property
    def draws(self) -> bool:
        """Return whether there are several."""
        return len(set(self.ids)) > 1

    def start(self, random: RowRandom, row: int, count: int) -> Tensor:
        """Return `count` mask ids."""
        return torch.tensor(self.ids)[random.integers(row, count, len(self.ids))]

    def is_open(self, ids: Tensor) -> Tensor:
        """Return where a mask id stands."""
        return torch.isin(ids, torch.tensor(self.ids, device=ids.device))

    def embeddings(self, random: RowRandom, row: int, shape: tuple[int, int]) -> None:
        """Return None: mask ids have embeddings."""


@dataclass(frozen=True, slots=True)
class Gaussian:
    """Embeddings drawn from N(0, scale^2); for decoders over embeddings only."""

    scale: float = 1.0

    @property
    def ids(self) -> tuple[int, ...]:
        """Return nothing: every id of the vocabulary may be an answer."""
        return ()

    @property
    def draws(self) -> bool:
        """Return True, unless the scale is 0."""
        return self.scale != 0

    def start(self, random: RowRandom, row: int, count: int) -> Tensor:
        """Return `NO_TOKEN` `count` times."""
        return torch.full((count,), NO_TOKEN)

    def is_open(self, ids: Tensor) -> Tensor:
        """Return where no token stands."""
        return ids == NO_TOKEN

    def embeddings(self, random: RowRandom, row: int, shape: tuple[int, int]) -> Tensor:
        """Return the draws of a row."""
        return self.scale * random.normal(row, shape)


def noise_of(config: Any) -> Noise:
    """Return the noise that a model's config names: `noise`, `mask_token_ids` or `mask_token_id`.

    Raises:
        DecodingError: it names none, or a kind that is not known.
    """
    kind = getattr(config, "noise", None)
    if kind == "gaussian":
        return Gaussian(float(getattr(config, "noise_scale", 1.0)))
    if kind not in (None, "mask"):
        raise DecodingError(f"the model's config has noise {kind!r}", hint="known: mask, gaussian")
    if several := getattr(config, "mask_token_ids", None):
        return ManyMasks(tuple(map(int, several)))
    if (one := getattr(config, "mask_token_id", None)) is not None:
        return OneMask(int(one))
    raise DecodingError(
        "the model's config names no mask token, so nothing says what is still open",
        hint="add mask_token_id to config.json; only masked diffusion models can be decoded",
    )
