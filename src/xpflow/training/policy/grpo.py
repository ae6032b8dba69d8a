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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from xpflow.decoding.policies.learned import LearnedPolicy, PolicyShape
from xpflow.decoding.policies.load import load_policy
from xpflow.problems.problem import Problem
from xpflow.study.config.training import GrpoBlock
from xpflow.training.align import epoch_order
from xpflow.training.checkpoint import TrainingState
from xpflow.training.policy.exploration import Teacher, TrajectoryPolicy, antithetic_shifts, clone
from xpflow.training.policy.policy_loss import Lesson
from xpflow.training.policy.rollout import RolloutEngine, Rollouts, RolloutShards, pooled

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
        self.seed, self.validate, self.team = seed, validate, engine.team
        self.shards = RolloutShards(block.rollout_shards, engine.team)
        shape = PolicyShape(width=block.hidden, kappa_min=block.kappa_min, kappa_max=block.kappa_max)
        self.policy = LearnedPolicy(shape, generator=torch.Generator().manual_seed(seed)).to(engine.device)
        self.optimizer = torch.optim.Adam(self.policy.parameters(), lr=block.learning_rate)

    def run(self, report: Callable[[Row], None], state: Path | None = None) -> list[Row]:
        """Train all updates and return the log rows; the policy ends as the last one, or the best validated
        one."""
        holder = _Holder(self.policy)
        guard = {**self.block.model_dump(), "seed": self.seed, "problems": [p.task_id for p in self.problems]}
        kept = TrainingState(guard, holder, [self.optimizer])
        update, rows = kept.load(state) if state else (0, [])
        self.team.wait()  # nobody saves before all have read
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
            if state and self.team.leads and update % self.block.checkpoint_every == 0:
                kept.save(state, update, rows)
        holder.restore(self.policy)
        return rows

    def _warm_start(self, spec: str) -> None:
        """Clone a hand-made policy on the states that it visits."""
        count = self.block.prompts_per_update * self.block.group_size
        problems = [self.problems[i % len(self.problems)] for i in range(count)]
        seen = []
        for number in self.shards.own:
            part = self.shards.part(problems, number, self.block.group_size)
            chosen = self.engine.roll(part, self.block.train_budget, Teacher(load_policy(spec))).decisions
            seen.append((torch.cat(chosen.features).cpu(), torch.cat(chosen.steps).cpu()))
        columns = zip(*self.shards.gather(seen), strict=True)
        features, targets = (torch.cat(column).to(self.engine.device) for column in columns)
        keep = torch.randperm(len(features), generator=torch.Generator().manual_seed(self.seed))[:8192]
        clone(self.policy, features[keep].float(), targets[keep].float(), self.block.warm_start_updates)
        self._agree()

    def _update(self, update: int) -> Row:
        """Roll out, reward and step; returns the row of the log."""
        block, own = self.block, [self._roll(update, number) for number in self.shards.own]
        parts = self.shards.gather([_summary(rolled) for rolled in own])
        task_R, t_RN = torch.cat([part.task_R for part in parts]), torch.cat([part.t_RN for part in parts])
        advantage_RN, flat = advantages(task_R, t_RN, block)
        lessons = [
            Lesson.of(rolled.decisions, advantage_RN.chunk(self.shards.count)[number])
            for rolled, number in zip(own, self.shards.own, strict=True)
        ]
        count = torch.stack(self.shards.gather([lesson.counting.cpu() for lesson in lessons])).sum()
        for _ in range(block.epochs):
            self._step(lessons, count.to(self.engine.device))
        sizes = [len(part.task_R) for part in parts]
        reward = float((task_R[:, None] + block.completion_weight * t_RN).mean())
        return {
            "reward": round(reward, 5),
            "pass_rate": float(task_R.mean()),
            "completion": round(float(t_RN.mean()), 5),
            "groups_with_variance": 1.0 - flat,
            "mean_step": round(pooled([p.mean_step for p in parts], [p.decisions for p in parts]), 5),
            "nfe": pooled([part.nfe for part in parts], sizes),
        }

    def _step(self, lessons: list[Lesson], count: Tensor) -> None:
        """Move the policy along the gradients of all parts, summed in their order."""
        own = [
            [gradient.cpu() for gradient in lesson.gradient(self.policy, count, self.block.clip)]
            for lesson in lessons
        ]
        first, *others = self.shards.gather(own)
        for gradients in others:
            for total, gradient in zip(first, gradients, strict=True):
                total += gradient
        for parameter, gradient in zip(self.policy.parameters(), first, strict=True):
            parameter.grad = gradient.to(parameter.device)
        nn.utils.clip_grad_norm_(self.policy.parameters(), 1.0)
        self.optimizer.step()
        self._agree()

    def _agree(self) -> None:
        """Take over the leader's policy: processors may differ in the last bit."""
        if self.team.size > 1:
            state = {name: value.cpu() for name, value in self.policy.state_dict().items()}
            self.policy.load_state_dict(self.team.gather(state if self.team.leads else None)[0])

    def _roll(self, update: int, number: int = 0) -> Rollouts:
        """Decode one part of an update's rollouts."""
        block = self.block
        wanted = min(block.prompts_per_update, len(self.problems))
        order = epoch_order(len(self.problems), self.seed, update, wanted)
        problems = [self.problems[i] for i in order for _ in range(block.group_size)]
        problems = self.shards.part(problems, number, block.group_size)
        generator = self.shards.generator(self.seed, update, number, self.engine.device)
        policy: Any = self.policy.sampling(generator)
        if block.exploration == "trajectory":
            shifts = antithetic_shifts(len(problems), block.group_size, block.trajectory_scale, generator)
            policy = TrajectoryPolicy(self.policy, generator, shifts)
        return self.engine.roll(problems, block.train_budget, policy)


@dataclass(frozen=True, slots=True)
class _Summary:
    """What all processes know of a part: rewards, final progress, and two means of the log."""

    task_R: Tensor
    t_RN: Tensor
    nfe: float
    mean_step: float
    decisions: int


def _summary(rolled: Rollouts) -> _Summary:
    steps = torch.cat(rolled.decisions.steps)
    return _Summary(rolled.task_R, rolled.t_RN, rolled.nfe, float(steps.mean()), len(steps))


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
