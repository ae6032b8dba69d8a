"""Training of the step-size policy with group-relative advantages (section 4.2 of the paper, Eq. 18).

The language model is frozen. A token's reward is R = R_task + lambda t_final: the pass verdict of its
rollout, shared by all tokens, plus its own final progress. Advantages are relative to the same token of the
other rollouts of the prompt. All decisions about a token carry its advantage; the loss is the clipped ratio,
averaged over decisions. Open points 13-14 of the paper (width, kappa range, lambda, rates, reduction) are
settings of the block `grpo`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from xpflow.decoding.policies.learned import LearnedPolicy, PolicyShape
from xpflow.decoding.policies.load import load_policy
from xpflow.decoding.registry import decoder_entry
from xpflow.errors import ConfigError
from xpflow.problems.problem import Problem
from xpflow.study.config.training import GrpoBlock
from xpflow.training.examples import epoch_order
from xpflow.training.finite import require_finite, require_finite_tensors, take_step
from xpflow.training.guard import model_facts, problems_facts, weights_sha256
from xpflow.training.policy.rollout import RolloutEngine, Rollouts, RolloutShards, pooled
from xpflow.training.policy.update import (
    PolicyBatch,
    Teacher,
    TrajectoryPolicy,
    advantages,
    antithetic_shifts,
    clone,
)
from xpflow.training.state import Progress, TrainingState

LOOK = "nothing was saved of it: look at the model's weights, and at the settings of block `grpo`"
NO_PROBLEMS = "the benchmarks have no validation problems: grpo.validate_every: 0 validates nothing"
Row = dict[str, Any]
Validate = Callable[[LearnedPolicy], float]


class PolicyTrainer:
    """Trains one policy on one frozen model; `run` goes to the last update, resuming from its state.

    `facts` are what else the result depends on (limits of the grader, validation, code): a saved state must
    agree with them, as with the model, the problems, the settings and the seed.
    """

    def __init__(
        self,
        engine: RolloutEngine,
        problems: Sequence[Problem],
        block: GrpoBlock,
        seed: int,
        validate: Validate | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        self.engine, self.problems, self.block = engine, problems, block
        self.seed, self.validate, self.team = seed, validate, engine.team
        self.shards = RolloutShards(block.rollout_shards, engine.team)
        action = decoder_entry(engine.decoder).policy_action
        if action == "commit" and block.exploration == "trajectory":
            raise ConfigError(
                f"grpo.exploration: trajectory shifts step sizes, and {engine.decoder} has none",
                hint="use exploration: token",
            )
        shape = PolicyShape(block.hidden, kappa_min=block.kappa_min, kappa_max=block.kappa_max, action=action)
        self.policy = LearnedPolicy(shape, generator=torch.Generator().manual_seed(seed)).to(engine.device)
        self.optimizer = torch.optim.Adam(self.policy.parameters(), lr=block.learning_rate)
        self.facts = dict(facts or {})

    def run(self, report: Callable[[Row], None], state: Path | None = None) -> list[Row]:
        """Train all updates and return the log; the policy ends as the last or the best validated one."""
        holder = _Holder(self.policy)
        kept = TrainingState(self._guard() if state else {}, holder, [self.optimizer])
        found = kept.load(state) if state else Progress()
        update, rows = found.update, list(found.rows)
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
                require_finite({"val_pass": row["val_pass"]}, f"update {update}, validation", NO_PROBLEMS)
                holder.offer(row["val_pass"], self.policy)
            rows.append(row)
            report(row)
            if state and self.team.leads and update % self.block.checkpoint_every == 0:
                kept.save(state, Progress(update, rows))
        holder.restore(self.policy)
        return rows

    def _guard(self) -> dict[str, Any]:
        """Return all that the policy depends on; the leader looks at the model, which all have."""
        engine, start = self.engine, self.block.warm_start
        model = model_facts(engine.model, engine.tokenizer) if self.team.leads else None
        teacher = load_policy(start) if start else None
        return {
            **self.facts,
            "model": self.team.gather(model)[0],
            "problems": problems_facts(self.problems),
            "protocol": engine.prompter.protocol.label,
            "gen_length": engine.length,
            "grpo": self.block.model_dump(exclude={"checkpoint_every"}),
            "teacher": weights_sha256(teacher) if isinstance(teacher, nn.Module) else start,
            "precision": str(next(engine.model.parameters()).dtype),
            "draws": engine.device.type,
            "seed": self.seed,
        }

    def _warm_start(self, spec: str) -> None:
        """Clone a hand-made policy on the states that it visits."""
        count = self.block.prompts_per_update * self.block.group_size
        problems = [self.problems[i % len(self.problems)] for i in range(count)]
        seen = []
        for number in self.shards.own:
            part = self.shards.part(problems, number, self.block.group_size)
            chosen = self.engine.roll(part, self.block.train_budget, Teacher(load_policy(spec))).decisions
            require_finite_tensors(chosen.named(), f"warm start from {spec}", LOOK)
            seen.append((torch.cat(chosen.features).cpu(), torch.cat(chosen.steps).cpu()))
        columns = zip(*self.shards.gather(seen), strict=True)
        features, targets = (torch.cat(column).to(self.engine.device) for column in columns)
        keep = torch.randperm(len(features), generator=torch.Generator().manual_seed(self.seed))[:8192]
        error = clone(
            self.policy, features[keep].float(), targets[keep].float(), self.block.warm_start_updates
        )
        require_finite({"squared error": error}, f"warm start from {spec}", LOOK)
        self._require_finite_policy(f"warm start from {spec}")
        self._agree()

    def _update(self, update: int) -> Row:
        """Roll out, reward and step; returns the row of the log."""
        block, own = self.block, [self._roll(update, number) for number in self.shards.own]
        parts = self.shards.gather([_summary(rolled) for rolled in own])
        task_R, t_RN = torch.cat([part.task_R for part in parts]), torch.cat([part.t_RN for part in parts])
        where = f"update {update + 1}"
        require_finite_tensors({"task reward": task_R, "final progress t": t_RN}, f"{where}, rewards", LOOK)
        advantage_RN, flat = advantages(task_R, t_RN, block)
        require_finite_tensors({"advantage": advantage_RN}, where, LOOK)
        batches = [
            PolicyBatch.of(rolled.decisions, advantage_RN.chunk(self.shards.count)[number])
            for rolled, number in zip(own, self.shards.own, strict=True)
        ]
        count = torch.stack(self.shards.gather([batch.counting.cpu() for batch in batches])).sum()
        for _ in range(block.epochs if int(count) else 0):  # Adam moves by its moments without a gradient too
            self._step(batches, count.to(self.engine.device), where)
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

    def _step(self, batches: list[PolicyBatch], count: Tensor, where: str) -> None:
        """Move the policy along the gradients of all parts, summed in their order.

        Raises:
            TrainingError: a gradient or, afterwards, a weight is not finite; `where` begins its message.
        """
        own = [
            [gradient.cpu() for gradient in batch.gradient(self.policy, count, self.block.clip)]
            for batch in batches
        ]
        first, *others = self.shards.gather(own)
        for gradients in others:
            for total, gradient in zip(first, gradients, strict=True):
                total += gradient
        for parameter, gradient in zip(self.policy.parameters(), first, strict=True):
            parameter.grad = gradient.to(parameter.device)
        named = {name: p.grad for name, p in self.policy.named_parameters() if p.grad is not None}
        require_finite_tensors(named, f"{where}, gradients of the clipped loss", LOOK)
        nn.utils.clip_grad_norm_(self.policy.parameters(), 1.0)
        take_step(self.optimizer, where, LOOK)
        self._require_finite_policy(f"{where}, policy weights after it")
        self._agree()

    def _require_finite_policy(self, where: str) -> None:
        require_finite_tensors(dict(self.policy.named_parameters()), where, LOOK)

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
        rolled = self.engine.roll(problems, block.train_budget, policy)
        require_finite_tensors(rolled.decisions.named(), f"update {update + 1}, rollouts", LOOK)
        return rolled


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
