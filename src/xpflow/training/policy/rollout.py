"""Rollouts of a decoder with sampled step sizes, their rewards, and how processes share them.

Legend: R rollouts of an update (prompts x G, a prompt's rollouts side by side), N response tokens, n
decisions of the policy.

The rollouts of an update come in parts, each with its own random stream and whole groups of a prompt. Which
process decodes a part changes nothing, and whatever is summed over parts is summed in their order. So the
numbers depend on how many parts there are (`grpo.rollout_shards`), not on how many processes share them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, TypeVar

import torch
from torch import Tensor

from xpflow.decoding import DecodeSettings, decode, settings_from
from xpflow.decoding.policies.base import RecorderStep
from xpflow.decoding.samples import shard_rows
from xpflow.decoding.stepper import StepRecord
from xpflow.errors import ConfigError
from xpflow.grading.grade import Grader
from xpflow.problems.problem import Problem
from xpflow.protocols.find import find_protocol
from xpflow.protocols.prompter import Prompter
from xpflow.protocols.protocol import Protocol
from xpflow.runtime.answers import answered, passed
from xpflow.runtime.processes import ALONE, Team
from xpflow.training.finite import require_finite_weights


@dataclass(slots=True)
class Decisions:
    """Every step size that was drawn for one of the N response tokens (`length`).

    State `[n, 8]`, draw, its log-density, step size, and whose it was (rollout and place in the response).
    """

    length: int
    features: list[Tensor] = field(default_factory=list)
    draws: list[Tensor] = field(default_factory=list)
    densities: list[Tensor] = field(default_factory=list)
    steps: list[Tensor] = field(default_factory=list)
    rollouts: list[Tensor] = field(default_factory=list)
    offsets: list[Tensor] = field(default_factory=list)

    def __call__(self, step: RecorderStep) -> None:
        """Record one decision step (the decoder's recorder hook): only tokens that can move count.

        Tokens past the response, which a block-causal model decodes to fill its last block, have no reward.
        """
        inside_BM = (step.offset_BM >= 0) & (step.offset_BM < self.length)
        active_BM = step.info.active_BM & inside_BM
        assert step.features_BM8 is not None
        self.features.append(step.features_BM8[active_BM])
        self.steps.append(step.action.a_BM[active_BM])
        if step.action.y_BM is not None and step.action.log_prob_BM is not None:
            self.draws.append(step.action.y_BM[active_BM])
            self.densities.append(step.action.log_prob_BM[active_BM])
        self.rollouts.append(step.info.rows_B[:, None].expand_as(active_BM)[active_BM])
        self.offsets.append(step.offset_BM[active_BM])

    def named(self) -> dict[str, Tensor]:
        """Return what was recorded of the policy, by its name in the paper's terms."""
        parts = {"features": self.features, "step sizes": self.steps, "log-densities": self.densities}
        return {name: torch.cat(values) for name, values in parts.items() if values}


@dataclass(slots=True)
class FinalProgress:
    """The t of every response token after the last step of its rollout (an observer of the decoder)."""

    t_RN: Tensor

    def __call__(self, record: StepRecord) -> None:
        """Overwrite the progress of the rows of a step."""
        block = record.info.block
        inside_BM = (block.offset_BM >= 0) & (block.offset_BM < self.t_RN.shape[1]) & block.open_BM
        rows_BM = record.info.rows_B[:, None].expand_as(inside_BM)
        self.t_RN[rows_BM[inside_BM], block.offset_BM[inside_BM]] = record.t_BM[inside_BM].to(self.t_RN.dtype)


@dataclass(frozen=True, slots=True)
class Rollouts:
    """What an update learns from; `task_R` is 1 where the program passed all its tests."""

    decisions: Decisions
    task_R: Tensor
    t_RN: Tensor
    nfe: float


class RolloutEngine:
    """Decodes and grades: one frozen model, grader, response length, decoder, protocol; one of a team."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        grader: Grader,
        length: int,
        decoder: str,
        protocol: Protocol | None = None,
        team: Team = ALONE,
    ) -> None:
        self.model, self.tokenizer, self.grader, self.length = model, tokenizer, grader, length
        self.decoder, self.team, self.device = decoder, team, next(model.parameters()).device
        self.prompter = Prompter(protocol or find_protocol(), tokenizer)
        require_finite_weights(model, "the frozen model")

    def encode(self, problem: Problem) -> list[int]:
        """Return the prompt ids of a problem."""
        return self.prompter.encode(problem)

    def roll(self, problems: Sequence[Problem], budget: Fraction, policy: Any) -> Rollouts:
        """Decode every problem once with `policy`, recording decisions, and grade the answers."""
        decisions = Decisions(self.length)
        final = FinalProgress(torch.zeros(len(problems), self.length, device=self.device))
        settings = self._settings(budget, len(problems))
        prompts = [self.encode(problem) for problem in problems]
        result = decode(self.model, prompts, settings, policy, recorder=decisions, observer=final)
        task_R = self._passed(problems, result.tokens)
        return Rollouts(decisions, task_R, final.t_RN.cpu(), float(result.nfe.float().mean()))

    def pass_rate(
        self, problems: Sequence[Problem], budget: Fraction, policy: Any, batch_size: int = 32
    ) -> float:
        """Return the share of problems that the deterministic policy solves at a budget.

        The processes of a team share whole batches, so that it is the same for any number of them.
        """
        prompts, found = [self.encode(problem) for problem in problems], {}
        own = shard_rows(prompts, batch_size, self.team.rank + 1, self.team.size)
        if own:
            settings = self._settings(budget, batch_size)
            result = decode(self.model, [prompts[row] for row in own], settings, policy)
            passed_R = self._passed([problems[row] for row in own], result.tokens)
            found = dict(zip(own, passed_R.tolist(), strict=True))
        every = {row: value for part in self.team.gather(found) for row, value in part.items()}
        return float(torch.tensor([every[row] for row in range(len(problems))]).mean())

    def _settings(self, budget: Fraction, batch_size: int) -> DecodeSettings:
        own = {"gen_length": self.length, "budget": budget, "batch_size": batch_size, "suppress": "special"}
        return settings_from(self.decoder, own)

    def _passed(self, problems: Sequence[Problem], tokens_RN: Tensor) -> Tensor:
        programs = answered(self.prompter, problems, tokens_RN.tolist())
        return torch.tensor(passed(self.grader.grade(programs)), dtype=torch.float32)


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
        """Return the source of a part's draws; one part alone has the stream from before there were parts."""
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
