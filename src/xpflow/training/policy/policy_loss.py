"""What the policy learns from one part of an update's rollouts, and the gradient of that.

Legend: n decisions of the part.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from xpflow.decoding.policies.learned import LearnedPolicy
from xpflow.training.policy.rollout import Decisions

AT_A_TIME = 2**18  # decisions of one forward and backward of the policy: 64 MiB for each activation


@dataclass(frozen=True, slots=True)
class Lesson:
    """Features [n, 8], draws, their log-densities when they were drawn, and advantages, [n] each."""

    features: Tensor
    draws: Tensor
    old: Tensor
    advantage: Tensor

    @classmethod
    def of(cls, chosen: Decisions, advantage_RN: Tensor) -> Lesson:
        """Return the lesson of recorded decisions; each carries the advantage of its token."""
        rollouts, offsets = torch.cat(chosen.rollouts), torch.cat(chosen.offsets)
        return cls(
            torch.cat(chosen.features).float(),
            torch.cat(chosen.draws).float(),
            torch.cat(chosen.densities).float(),
            advantage_RN.to(rollouts.device)[rollouts, offsets],
        )

    @property
    def counting(self) -> Tensor:
        """Return the number of decisions with an advantage."""
        return (self.advantage != 0).sum()

    def gradient(self, policy: LearnedPolicy, count: Tensor, clip: float) -> list[Tensor]:
        """Return the gradient of the clipped loss (Eq. 18), a mean over `count` decisions, by parameter.

        More than AT_A_TIME decisions are summed in pieces: the same up to rounding, in bounded memory.
        """
        columns = (self.features, self.draws, self.old, self.advantage)
        policy.zero_grad()
        for features, draws, old, advantage in zip(
            *(torch.split(column, AT_A_TIME) for column in columns), strict=True
        ):
            loss = clipped_loss(policy.log_prob(features, draws), old, advantage, clip, count)
            loss.backward()  # type: ignore[no-untyped-call]
        return [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in policy.parameters()]


def clipped_loss(
    new_n: Tensor, old_n: Tensor, advantage_n: Tensor, clip: float, count: Tensor | None = None
) -> Tensor:
    """Return the negative clipped surrogate (Eq. 18), averaged over the decisions with an advantage.

    `count` is how many these are where the given ones are only a part of them.
    """
    ratio = (new_n - old_n).exp()
    gain = torch.minimum(ratio * advantage_n, ratio.clamp(1 - clip, 1 + clip) * advantage_n)
    return -gain.sum() / ((advantage_n != 0).sum() if count is None else count).clamp(min=1)
