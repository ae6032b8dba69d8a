"""How rollouts differ from each other, and a policy to start from.

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


@dataclass(frozen=True, slots=True)
class TrajectoryPolicy:
    """A learned policy whose draws share a shift within a rollout; `shift_R9` holds one row per rollout."""

    policy: LearnedPolicy
    generator: torch.Generator
    shift_R9: Tensor
    needs_features: bool = True

    def __call__(self, features_BM8: Tensor | None, info: PolicyInfo) -> Action:
        """Draw y from Beta(mu', kappa) with the rollout's own mu', and give its density under the policy's
        mu."""
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
    """Return `[rollouts, 9]` shifts (bias and one weight per feature); within a group they come in +/-
    pairs (the last rollout of an odd group is not shifted), so they sum to zero."""
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
    """Fit the deterministic step size of a policy to a target in log2 a; returns the last mean squared
    error."""
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
