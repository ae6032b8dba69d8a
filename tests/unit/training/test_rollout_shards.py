"""An update's rollouts in parts: who takes which, where their draws come from, and gradients in pieces."""

from __future__ import annotations

import pytest
import torch

from xpflow.decoding.policies.learned import LearnedPolicy, PolicyShape
from xpflow.errors import ConfigError
from xpflow.runtime.processes import ALONE, Team
from xpflow.study.config.training import GrpoBlock
from xpflow.training.policy import update
from xpflow.training.policy.rollout import RolloutShards, pooled
from xpflow.training.policy.update import PolicyBatch, clipped_loss

CPU = torch.device("cpu")


@pytest.mark.parametrize(("count", "size"), [(1, 1), (4, 1), (4, 2), (6, 3)])
def test_the_processes_share_all_parts_and_keep_groups_whole(count: int, size: int) -> None:
    teams = [RolloutShards(count, Team(rank, size)) for rank in range(size)]
    assert [number for team in teams for number in team.own] == list(range(count))
    rollouts = [(prompt, g) for prompt in range(12) for g in range(3)]
    parts = [team.part(rollouts, number, 3) for team in teams for number in team.own]
    assert [rollout for part in parts for rollout in part] == rollouts
    prompts = [{prompt for prompt, _ in part} for part in parts]
    assert sum(len(found) for found in prompts) == 12


def test_one_part_has_the_stream_from_before_there_were_parts_and_others_differ() -> None:
    def first(count: int, seed: int, update: int, number: int) -> float:
        generator = RolloutShards(count, ALONE).generator(seed, update, number, CPU)
        return float(torch.rand((), dtype=torch.float64, generator=generator))

    old = torch.rand((), dtype=torch.float64, generator=torch.Generator().manual_seed(3 * 1_000_003 + 7))
    assert first(1, 3, 7, 0) == float(old)
    drawn = [first(4, s, u, n) for s in (0, 1) for u in (0, 1) for n in range(4)]
    assert len(set(drawn)) == len(drawn)


def test_parts_that_cannot_be_shared_or_cut_are_refused() -> None:
    with pytest.raises(ConfigError, match="2 processes"):
        RolloutShards(3, Team(0, 2))
    with pytest.raises(ConfigError, match="3 prompts"):
        RolloutShards(2, ALONE).part(list(range(6)), 0, 2)
    with pytest.raises(ValueError, match="multiple of rollout_shards"):
        GrpoBlock(prompts_per_update=8, rollout_shards=3)


def test_a_mean_over_parts_is_the_mean_of_all_and_of_one_part_its_own() -> None:
    assert pooled([0.1 + 0.2], [3]) == 0.1 + 0.2
    assert pooled([1.0, 4.0], [2, 1]) == pytest.approx(2.0)


def test_the_gradient_in_pieces_and_in_parts_is_that_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(0)
    policy = LearnedPolicy(PolicyShape(width=8), generator=generator)
    features = torch.rand(40, 8, generator=generator)
    draws, old, advantage = (torch.rand(40, generator=generator) for _ in range(3))
    advantage[::4] = 0.0
    whole = PolicyBatch(features, draws, old - 0.5, advantage)
    clipped_loss(policy.log_prob(features, draws), whole.old, advantage, 0.2).backward()
    expected = [p.grad.clone() for p in policy.parameters() if p.grad is not None]
    for wanted, found in zip(expected, whole.gradient(policy, whole.counting, 0.2), strict=True):
        assert torch.equal(found, wanted)
    monkeypatch.setattr(update, "AT_A_TIME", 7)
    columns = (features, draws, whole.old, advantage)
    parts = [PolicyBatch(*(column[rows] for column in columns)) for rows in (slice(0, 25), slice(25, 40))]
    count = sum((part.counting for part in parts), torch.tensor(0))
    assert int(count) == 30
    summed = [part.gradient(policy, count, 0.2) for part in parts]
    for wanted, one, two in zip(expected, *summed, strict=True):
        torch.testing.assert_close(one + two, wanted, rtol=1e-4, atol=1e-6)
