"""Training of the step-size policy with group-relative advantages (section 4.2 of the paper, Eq. 18).

The language model is frozen. A token's reward is R = R_task + lambda t_final: the pass verdict of its
rollout, shared by all tokens, plus its own final progress. Advantages are relative to the same token of the
other rollouts of the prompt. All decisions about a token carry its advantage; the loss is the clipped ratio,
averaged over decisions. Open points 13-14 of the paper (width, kappa range, lambda, rates, reduction) are
settings of the block `grpo`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from xpflow.config.grpo import GrpoBlock
from xpflow.decoding.policies import load_policy
from xpflow.decoding.step_policy import LearnedPolicy, PolicyShape
from xpflow.problems.problem import Problem
from xpflow.training.align import epoch_order
from xpflow.training.checkpoint import TrainingState
from xpflow.training.exploration import Teacher, TrajectoryPolicy, antithetic_shifts, clone
from xpflow.training.rollout import RolloutEngine, Rollouts

Row = dict[str, Any]
Validate = Callable[[LearnedPolicy], float]


class PolicyTrainer:
    """Trains one policy on one frozen model; `run` goes to the last update, resuming from its state."""

    def __init__(
        self,
        engine: RolloutEngine,
        problems: Sequence[Problem],
        block: GrpoBlock,
        seed: int,
        validate: Validate | None = None,
    ) -> None:
        self.engine, self.problems, self.block = engine, problems, block
        self.seed, self.validate = seed, validate
        shape = PolicyShape(width=block.hidden, kappa_min=block.kappa_min, kappa_max=block.kappa_max)
        self.policy = LearnedPolicy(shape, generator=torch.Generator().manual_seed(seed))
        self.optimizer = torch.optim.Adam(self.policy.parameters(), lr=block.learning_rate)

    def run(self, report: Callable[[Row], None], state: Path | None = None) -> list[Row]:
        """Train all updates and return the log rows; the policy ends as the last one, or the best validated
        one."""
        holder = _Holder(self.policy)
        guard = {**self.block.model_dump(), "seed": self.seed, "problems": [p.task_id for p in self.problems]}
        kept = TrainingState(guard, holder, [self.optimizer])
        update, rows = kept.load(state) if state else (0, [])
        if update == 0 and self.block.warm_start:
            self._warm_start(self.block.warm_start)
        while update < self.block.updates:
            started = time.monotonic()
            row = {"update": update, **self._update(update)}
            update += 1
            row["seconds"] = round(time.monotonic() - started, 3)
            if self.validate and (update % self.block.validate_every == 0 or update == self.block.updates):
                row["val_pass"] = self.validate(self.policy)
                holder.offer(row["val_pass"], self.policy)
            rows.append(row)
            report(row)
            if state and update % self.block.checkpoint_every == 0:
                kept.save(state, update, rows)
        holder.restore(self.policy)
        return rows

    def _warm_start(self, spec: str) -> None:
        """Clone a hand-made policy on the states that it visits."""
        count = self.block.prompts_per_update * self.block.group_size
        problems = [self.problems[i % len(self.problems)] for i in range(count)]
        rolled = self.engine.roll(problems, self.block.train_budget, Teacher(load_policy(spec)))
        features, targets = torch.cat(rolled.decisions.features), torch.cat(rolled.decisions.steps)
        keep = torch.randperm(len(features), generator=torch.Generator().manual_seed(self.seed))[:8192]
        clone(self.policy, features[keep].float(), targets[keep].float(), self.block.warm_start_updates)

    def _update(self, update: int) -> Row:
        """Roll out, reward and step; returns the row of the log."""
        block = self.block
        rolled = self._roll(update)
        advantage_RN, flat = advantages(rolled.task_R, rolled.t_RN, block)
        chosen = rolled.decisions
        features, draws = torch.cat(chosen.features).float(), torch.cat(chosen.draws).float()
        old = torch.cat(chosen.densities).float()
        weight = advantage_RN[torch.cat(chosen.rollouts), torch.cat(chosen.offsets)]
        for _ in range(block.epochs):
            loss = clipped_loss(self.policy.log_prob(features, draws), old, weight, block.clip)
            self.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self.policy.parameters(), 1.0)
            self.optimizer.step()
        reward = float((rolled.task_R[:, None] + block.completion_weight * rolled.t_RN).mean())
        return {
            "reward": round(reward, 5),
            "pass_rate": float(rolled.task_R.mean()),
            "completion": round(float(rolled.t_RN.mean()), 5),
            "groups_with_variance": 1.0 - flat,
            "mean_step": round(float(torch.cat(chosen.steps).mean()), 5),
            "nfe": rolled.nfe,
        }

    def _roll(self, update: int) -> Rollouts:
        block = self.block
        wanted = min(block.prompts_per_update, len(self.problems))
        order = epoch_order(len(self.problems), self.seed, update, wanted)
        problems = [self.problems[i] for i in order for _ in range(block.group_size)]
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + update)
        policy: Any = self.policy.sampling(generator)
        if block.exploration == "trajectory":
            shifts = antithetic_shifts(len(problems), block.group_size, block.trajectory_scale, generator)
            policy = TrajectoryPolicy(self.policy, generator, shifts)
        return self.engine.roll(problems, block.train_budget, policy)


class _Holder(nn.Module):
    """The policy in training and the best validated one, as one module for the training state."""

    def __init__(self, policy: LearnedPolicy) -> None:
        super().__init__()
        self.policy = policy
        self.best = LearnedPolicy(policy.shape)
        self.register_buffer("score", torch.tensor(-1.0, dtype=torch.float64))
        self.score: Tensor

    def offer(self, score: float, policy: LearnedPolicy) -> None:
        """Keep a policy if it validates better than all before it (the first of equals stays)."""
        if score > float(self.score):
            self.best.load_state_dict(policy.state_dict())
            self.score.fill_(score)

    def restore(self, policy: LearnedPolicy) -> None:
        """Put the best validated weights back, if anything was validated."""
        if float(self.score) >= 0:
            policy.load_state_dict(self.best.state_dict())


def advantages(task_R: Tensor, t_RN: Tensor, block: GrpoBlock) -> tuple[Tensor, float]:
    """Return per-token advantages `[R, N]` relative to the group, and the share of groups without variance.

    (reward - group mean) / (group standard deviation + `std_floor`); the deviation divides by G - 1.
    """
    reward_RN = task_R[:, None] + block.completion_weight * t_RN
    reward_PGN = reward_RN.view(-1, block.group_size, reward_RN.shape[1])
    centred = reward_PGN - reward_PGN.mean(1, keepdim=True)
    scaled = centred / (reward_PGN.std(1, keepdim=True) + block.std_floor)
    task_PG = task_R.view(-1, block.group_size)
    flat_P = (task_PG == task_PG[:, :1]).all(-1)
    if block.drop_flat_groups:
        scaled = scaled * ~flat_P[:, None, None]
    return scaled.flatten(0, 1), float(flat_P.float().mean())


def clipped_loss(new_n: Tensor, old_n: Tensor, advantage_n: Tensor, clip: float) -> Tensor:
    """Return the negative clipped surrogate (Eq. 18), averaged over the decisions with an advantage."""
    ratio = (new_n - old_n).exp()
    gain = torch.minimum(ratio * advantage_n, ratio.clamp(1 - clip, 1 + clip) * advantage_n)
    return -gain.sum() / (advantage_n != 0).sum().clamp(min=1)
