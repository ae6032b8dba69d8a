"""The rollouts of an update in parts: each has its own random stream, and whole groups of a prompt.

Which process decodes a part changes nothing: a part is one batch of the decoder with its own generator, and
whatever is summed over parts is summed in their order. So the numbers depend on how many parts there are
(`grpo.rollout_shards`), not on how many processes share them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch

from xpflow.errors import ConfigError
from xpflow.training.team import Team

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class RolloutShards:
    """`count` parts, of which each process of the team takes the same number, one after the other.

    Raises ConfigError on creation when the parts cannot be shared out evenly.
    """

    count: int
    team: Team

    def __post_init__(self) -> None:
        if self.count % self.team.size:
            raise ConfigError(
                f"grpo.rollout_shards: {self.count} parts cannot be shared out to {self.team.size} processes",
                hint=f"set it to a multiple of {self.team.size} (it changes the random streams)",
            )

    @property
    def own(self) -> range:
        """Return the numbers of this process's parts."""
        share = self.count // self.team.size
        return range(self.team.rank * share, (self.team.rank + 1) * share)

    def part(self, items: Sequence[Item], number: int, per_group: int = 1) -> list[Item]:
        """Return a part of a list of groups of `per_group` items; raises ConfigError if it cannot be cut."""
        groups = len(items) // per_group
        if groups % self.count:
            raise ConfigError(
                f"grpo.rollout_shards: {groups} prompts cannot be cut into {self.count} equal parts",
                hint="prompts_per_update, and the number of training problems if smaller, must be a multiple",
            )
        size = groups // self.count * per_group
        return list(items[number * size : (number + 1) * size])

    def generator(self, seed: int, update: int, number: int, device: torch.device) -> torch.Generator:
        """Return the source of a part's draws; a single part has the stream that it had before there were
        parts."""
        start = seed * 1_000_003 + update
        if self.count > 1:
            text = f"rollouts of seed {seed}, update {update}, part {number} of {self.count}"
            start = int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")
        return torch.Generator(device).manual_seed(start)

    def gather(self, own: Sequence[Item]) -> list[Item]:
        """Return what all processes have for their parts, in the order of parts."""
        return [item for items in self.team.gather(list(own)) for item in items]


def pooled(means: Sequence[float], counts: Sequence[int]) -> float:
    """Return the mean of all from the means and sizes of parts (of one part: its mean, to the last bit)."""
    if len(means) == 1:
        return means[0]
    total = sum(mean * count for mean, count in zip(means, counts, strict=True))
    return total / max(1, sum(counts))
