"""Any fixed order of the places; another one for each first word, where the language has such words.

Where `by_first` names an order for a sentence's first word, all these orders must begin with place 0: until
that is decided the reverse process cannot know which of them it is, and need not.
"""

from __future__ import annotations

from typing import Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from xpflow.errors import ConfigError
from xpflow.masking.alpha import Alpha, ranked
from xpflow.masking.schedule import Rule, Schedule, Values, smoothed
from xpflow.masking.schedules.ordered import SMOOTHING


def numbers(text: str) -> list[int]:
    """Return the numbers of "2 0 1"; raises ValueError where they are no permutation."""
    found = [int(one) for one in text.split()]
    if sorted(found) != list(range(len(found))):
        raise ValueError(f"{text!r} does not name every place from 0 on once")
    return found


def orders_of(text: str) -> dict[int, list[int]]:
    """Return id -> order of "16=0 2 1; 17=0 1 2"; raises ValueError as `numbers` does."""
    parts = [part.partition("=") for part in text.split(";") if part.strip()]
    found = {int(key): numbers(order) for key, _, order in parts}
    if any(order[0] != 0 for order in found.values()):
        raise ValueError("an order that depends on the first word begins with place 0")
    return found


class PermutationSettings(Values):
    """Settings of `permutation`."""

    order: str = Field(
        default="", description="Places in the order of decisions, as 2 0 1; empty: by_first has all"
    )
    by_first: str = Field(default="", description="Orders by the id of the first word, as 16=0 2 1; 17=0 1 2")
    smoothing: float = Field(default=0.0, ge=0, lt=1, description=SMOOTHING)

    @model_validator(mode="after")
    def _require_orders(self) -> Self:
        found = [*orders_of(self.by_first).values(), *([numbers(self.order)] if self.order else [])]
        if len({len(order) for order in found}) != 1:
            raise ValueError("name an order, and all orders for one length")
        return self


class Permutation(Schedule):
    """A window of time for each place, by its rank in the order."""

    def __init__(self, settings: PermutationSettings) -> None:
        self.by_first, self.smoothing = orders_of(settings.by_first), settings.smoothing
        self.order = numbers(settings.order) if settings.order else None

    def alpha(self, ids_BL: Tensor, open_BL: Tensor) -> Alpha:
        """Return the windows of each sentence's order; while its first word is open, those of any of them."""
        known = [self.order] if self.order else list(self.by_first.values())[:1]
        rank_BL = torch.tensor(known).argsort(-1).repeat(len(ids_BL), 1)
        if rank_BL.shape != ids_BL.shape:
            raise ConfigError(
                f"the order has {rank_BL.shape[1]} places, the sentences {ids_BL.shape[1]}",
                hint="name an order of the sentences' length",
            )
        for first, order in self.by_first.items():
            rows_B = ((ids_BL[:, 0] == first) & ~open_BL[:, 0]).cpu()
            rank_BL[rows_B] = torch.tensor(order).argsort()
        return smoothed(ranked(rank_BL.to(ids_BL.device), ids_BL.shape[1]), self.smoothing, ids_BL)


SCHEDULE = Rule(
    PermutationSettings,
    Permutation,
    "any fixed order of the places, or one for each first word",
    ({"order": "3 1 0 2"}, {"by_first": "0=0 1 2 3; 1=0 3 2 1"}),
)
