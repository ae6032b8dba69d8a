"""What an update of the step-size policy is made of: exploration, advantages, the clipped loss, a start.

Legend: R rollouts, P prompts, G rollouts of a prompt, N response tokens, n decisions.

Deviation: `TrajectoryPolicy`. With noise of its own for every token and step (the paper), the noise averages
out over hundreds of draws and the rollouts of a group look alike. Here each rollout also keeps one random
shift of mu's logit, linear in the policy's state, in antithetic pairs within a group (in the manner of
generalised state-dependent exploration, arXiv 2005.05719). The density that the update uses stays that of the
unshifted policy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from xpflow.decoding.policies.base import Action, PolicyInfo
from xpflow.decoding.policies.learned import FEATURES, LearnedPolicy, beta_log_prob
from xpflow.study.config.training import GrpoBlock
from xpflow.training.policy.rollout import Decisions


@dataclass(frozen=True, slots=True)
class TrajectoryPolicy:
    """A learned policy whose draws share a shift within a rollout; `shift_R9` holds one row per rollout."""

    policy: LearnedPolicy
    generator: torch.Generator
    shift_R9: Tensor
    needs_features: bool = True

    def __call__(self, features_BM8: Tensor | None, info: PolicyInfo) -> Action:
        """Draw y from Beta(mu', kappa) with the rollout's own mu'; its density is the one under mu."""
        assert features_BM8 is not None
        with torch.no_grad():
            mu, kappa = self.policy.mean_concentration(features_BM8)
            weights_B9 = self.shift_R9[info.rows_B]
            delta = weights_B9[:, None, :1].squeeze(-1) + (features_BM8 @ weights_B9[:, 1:, None]).squeeze(-1)
            share = ((mu - 0.05) / 0.9).clamp(1e-4, 1 - 1e-4)
            moved = 0.05 + 0.9 * (share.logit() + delta).sigmoid()
            pair = torch.stack((moved * kappa, (1.0 - moved) * kappa), dim=-1)
            y = torch._sample_dirichlet(pair, self.generator)[..., 0].clamp(1e-6, 1.0 - 1e-6)
            return Action(self.policy.step_size(y), y, beta_log_prob(mu, kappa, y))


def antithetic_shifts(rollouts: int, group: int, scale: float, generator: torch.Generator) -> Tensor:
    """Return `[rollouts, 9]` shifts, a bias and one weight per feature.

    Within a group they come in +/- pairs (the last rollout of an odd group is not shifted): they sum to zero.
    """
    groups, device = rollouts // group, generator.device
    drawn = torch.randn(groups, group // 2, FEATURES + 1, generator=generator, device=device) * scale
    odd = torch.zeros(groups, group % 2, FEATURES + 1, device=device)
    return torch.cat((drawn, -drawn, odd), dim=1).reshape(rollouts, FEATURES + 1)


@dataclass(frozen=True, slots=True)
class Teacher:
    """A cheap policy that also lets its inputs be recorded, to be cloned."""

    policy: Callable[[Tensor | None, PolicyInfo], Tensor | Action]
    needs_features: bool = True

    def __call__(self, features_BM8: Tensor | None, info: PolicyInfo) -> Tensor | Action:
        """Return the teacher's step size."""
        return self.policy(features_BM8, info)


def clone(
    student: LearnedPolicy, features_n8: Tensor, target_n: Tensor, updates: int, rate: float = 3e-3
) -> float:
    """Fit a policy's deterministic step size to a target, in log2 a; returns the last mean squared error."""
    low, high = student.shape.a_min, student.shape.a_max
    wanted = target_n.clamp(low, high).log2()
    optimizer = torch.optim.Adam(student.parameters(), lr=rate)
    loss = torch.zeros(())
    for _ in range(updates):
        loss = (student(features_n8).log2() - wanted).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return float(loss.detach())


AT_A_TIME = 2**18  # decisions of one forward and backward of the policy: 64 MiB for each activation


@dataclass(frozen=True, slots=True)
class PolicyBatch:
    """Features [n, 8], draws, their log-densities when they were drawn, and advantages, [n] each."""

    features: Tensor
    draws: Tensor
    old: Tensor
    advantage: Tensor

    @classmethod
    def of(cls, chosen: Decisions, advantage_RN: Tensor) -> PolicyBatch:
        """Return the batch of recorded decisions; each carries the advantage of its token."""
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


def advantages(task_R: Tensor, t_RN: Tensor, block: GrpoBlock) -> tuple[Tensor, float]:
    """Return per-token advantages `[R, N]` relative to the group, and the share of groups without variance.

    (reward - group mean) / (group standard deviation + `std_floor`); the deviation divides by G - 1.

    Where all rewards of a group are equal at a token the advantage is exactly 0: the mean of equal numbers is
    rounded, and divided by `std_floor` that noise would be learned from.
    """
    reward_RN = task_R[:, None] + block.completion_weight * t_RN
    reward_PGN = reward_RN.view(-1, block.group_size, reward_RN.shape[1])
    centred = reward_PGN - reward_PGN.mean(1, keepdim=True)
    scaled = centred / (reward_PGN.std(1, keepdim=True) + block.std_floor)
    scaled = scaled.masked_fill((reward_PGN == reward_PGN[:, :1]).all(1, keepdim=True), 0.0)
    task_PG = task_R.view(-1, block.group_size)
    flat_P = (task_PG == task_PG[:, :1]).all(-1)
    if block.drop_flat_groups:
        scaled = scaled * ~flat_P[:, None, None]
    return scaled.flatten(0, 1), float(flat_P.float().mean())
