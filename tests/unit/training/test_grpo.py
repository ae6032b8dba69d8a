"""Policy training: the arithmetic of Eq. 18, exploration, warm start, rewards, validation and resuming."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from xpflow.decoding.policies.learned import LearnedPolicy
from xpflow.errors import ArtifactError, ConfigError, GradingError
from xpflow.grading.verdict import Verdict, VerdictName
from xpflow.problems import Problem
from xpflow.problems.micropy import load
from xpflow.study.config.training import GrpoBlock
from xpflow.training.policy.grpo import PolicyTrainer
from xpflow.training.policy.rollout import Decisions, RolloutEngine
from xpflow.training.policy.update import Teacher, advantages, antithetic_shifts, clipped_loss, clone

Row = dict[str, Any]
PROBLEMS = load("mbpp", "train")[:3]
N = 8


class Killed(Exception):
    """The run ends here."""


class FakeGrader:
    """Passes a program by the sum of its characters: no program runs; `verdict` overrides."""

    def __init__(self, verdict: VerdictName | None = None) -> None:
        self.verdict = verdict

    def grade(self, items: Sequence[tuple[Problem, str]]) -> list[Verdict]:
        names: tuple[VerdictName, VerdictName] = ("passed", "wrong")
        return [Verdict(p.task_id, self.verdict or names[sum(map(ord, code)) % 2]) for p, code in items]


@pytest.fixture
def engine(make_model: Callable[..., Any], tokenizer: PreTrainedTokenizerBase) -> RolloutEngine:
    return engine_of(make_model("llada-micro"), tokenizer)


def engine_of(
    model: Any, tokenizer: PreTrainedTokenizerBase, verdict: VerdictName | None = None
) -> RolloutEngine:
    grader: Any = FakeGrader(verdict)
    return RolloutEngine(model.requires_grad_(False), tokenizer, grader, N, GrpoBlock().decoder)


def settings(**changes: Any) -> GrpoBlock:
    small = {
        "updates": 4,
        "prompts_per_update": 2,
        "group_size": 3,
        "train_budget": Fraction(1, 2),
        "hidden": 8,
        "warm_start_updates": 5,
        "checkpoint_every": 1,
        "exploration": "trajectory",
    }
    return GrpoBlock(**{**small, **changes})


def stripped(rows: list[Row]) -> list[Row]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_advantages_are_those_of_a_hand_calculation() -> None:
    task = torch.tensor([1.0, 0.0, 0.0, 1.0, 1.0, 1.0])
    t_RN = torch.tensor([[1.0, 0.5], [0.5, 0.5], [0.0, 1.0], [1.0, 0.2], [0.8, 0.2], [0.6, 0.2]])
    block = settings(completion_weight=0.1, std_floor=0.01)
    found, flat = advantages(task, t_RN, block)
    for group in (0, 1):
        for token in (0, 1):
            rewards = [float(task[r] + 0.1 * t_RN[r, token]) for r in range(3 * group, 3 * group + 3)]
            mean, deviation = statistics.mean(rewards), statistics.stdev(rewards)
            expected = [(reward - mean) / (deviation + 0.01) for reward in rewards]
            assert found[3 * group : 3 * group + 3, token].tolist() == pytest.approx(expected, abs=1e-5)
    assert flat == 0.5
    torch.testing.assert_close(found.view(2, 3, 2).sum(1), torch.zeros(2, 2), atol=1e-5, rtol=0)


def test_flat_groups_are_dropped_when_asked_and_only_they() -> None:
    task, t_RN = torch.tensor([1.0, 0.0, 0.0, 1.0, 1.0, 1.0]), random(6, 4).float().sigmoid()
    kept, _ = advantages(task, t_RN, settings())
    dropped, flat = advantages(task, t_RN, settings(drop_flat_groups=True))
    assert flat == 0.5
    assert torch.equal(dropped[:3], kept[:3])
    assert (dropped[3:] == 0).all()
    assert (kept[3:] != 0).any()


def test_the_clipped_loss_is_the_plain_formula() -> None:
    new, old, weight = random(40), random(40, seed=1), random(40, seed=2)
    weight[::5] = 0.0
    total = 0.0
    for n, o, a in zip(new.tolist(), old.tolist(), weight.tolist(), strict=True):
        ratio = float(torch.tensor(n - o, dtype=torch.float64).exp())
        total += min(ratio * a, min(max(ratio, 0.8), 1.2) * a)
    assert float(clipped_loss(new, old, weight, 0.2)) == pytest.approx(-total / 32)


def test_the_gradient_of_the_clipped_loss_is_that_of_finite_differences() -> None:
    new, old, weight = (0.4 * random(30)).requires_grad_(True), torch.zeros(30).double(), random(30, seed=2)
    assert torch.autograd.gradcheck(lambda x: clipped_loss(x, old, weight, 0.2), new)
    (gradient,) = torch.autograd.grad(clipped_loss(new, old, weight, 0.2), new)
    ratio = new.detach().exp()
    clipped = ((ratio > 1.2) & (weight > 0)) | ((ratio < 0.8) & (weight < 0))
    assert clipped.any()
    assert (gradient[clipped] == 0).all()
    assert (gradient[~clipped] != 0).all()


@pytest.mark.parametrize("group", [2, 3, 8])
def test_the_shifts_of_a_group_sum_to_zero_and_differ(group: int) -> None:
    shifts = antithetic_shifts(4 * group, group, 0.5, torch.Generator().manual_seed(0))
    grouped = shifts.view(4, group, -1)
    torch.testing.assert_close(grouped.sum(1), torch.zeros_like(grouped[:, 0]))
    assert len({tuple(row.tolist()) for row in grouped[1]}) == group


def test_a_clone_of_a_constant_policy_is_that_constant() -> None:
    policy = LearnedPolicy(generator=torch.Generator().manual_seed(0))
    features = random(256, 8).float().sigmoid()
    assert clone(policy, features, torch.full((256,), 0.3), 200, 1e-2) < 1e-2
    with torch.no_grad():
        torch.testing.assert_close(policy(features), torch.full((256,), 0.3), rtol=0.1, atol=0)


def test_a_learned_policy_can_be_the_teacher(engine: RolloutEngine) -> None:
    teacher = LearnedPolicy(generator=torch.Generator().manual_seed(4))
    rolled = engine.roll(PROBLEMS[:1], Fraction(1, 2), Teacher(teacher))
    features, steps = torch.cat(rolled.decisions.features), torch.cat(rolled.decisions.steps)
    with torch.no_grad():
        torch.testing.assert_close(steps.float(), teacher(features.float()), rtol=1e-4, atol=1e-5)


def test_decisions_past_the_response_are_not_recorded(
    make_model: Callable[..., Any], tokenizer: PreTrainedTokenizerBase
) -> None:
    engine = engine_of(make_model("llada2-micro"), tokenizer)
    rolled = engine.roll(PROBLEMS, Fraction(1, 2), LearnedPolicy().sampling(torch.Generator().manual_seed(0)))
    offsets = torch.cat(rolled.decisions.offsets)
    assert any((len(engine.encode(p)) + N) % 4 for p in PROBLEMS), "a response must end inside a block"
    assert set(offsets.tolist()) == set(range(N))
    assert isinstance(rolled.decisions, Decisions)


def test_a_frozen_policy_has_ratio_one_and_only_the_policy_learns(engine: RolloutEngine) -> None:
    before = {key: value.clone() for key, value in engine.model.state_dict().items()}
    trainer = PolicyTrainer(engine, PROBLEMS, settings(updates=1, warm_start=None, exploration="token"), 0)
    rolled = trainer._roll(0).decisions
    with torch.no_grad():
        again = trainer.policy.log_prob(torch.cat(rolled.features).float(), torch.cat(rolled.draws).float())
    torch.testing.assert_close(again, torch.cat(rolled.densities).float(), rtol=1e-3, atol=1e-3)
    weights = trainer.policy.head.weight.detach().clone()
    trainer.run(lambda row: None)
    assert not torch.equal(trainer.policy.head.weight, weights)
    assert all(torch.equal(value, before[key]) for key, value in engine.model.state_dict().items())


@pytest.mark.parametrize("validated", [False, True])
def test_a_resumed_run_has_the_weights_and_log_of_an_uninterrupted_one(
    engine: RolloutEngine, validated: bool, tmp_path: Path
) -> None:
    def run(end: int, state: Path) -> tuple[LearnedPolicy, list[Row]]:
        def report(row: Row) -> None:
            if row["update"] == end:
                raise Killed

        def validate(policy: LearnedPolicy) -> float:
            return float(policy.head.weight.detach().double().sin().sum())

        block = settings(validate_every=1 if validated else 0)
        trainer = PolicyTrainer(engine, PROBLEMS, block, 5, validate if validated else None)
        return trainer.policy, trainer.run(report, state)

    whole, rows = run(99, tmp_path / "whole")
    for end in (0, 2, 3):
        state = tmp_path / f"{end}"
        with pytest.raises(Killed):
            run(end, state)
        resumed, again = run(99, state)
        assert stripped(again) == stripped(rows)
        for key, value in whole.state_dict().items():
            assert torch.equal(value, resumed.state_dict()[key]), (end, key)


def test_a_state_of_other_problems_or_settings_is_refused(engine: RolloutEngine, tmp_path: Path) -> None:
    state = tmp_path / "state"
    PolicyTrainer(engine, PROBLEMS, settings(updates=1), 0).run(lambda row: None, state)
    for other in (
        PolicyTrainer(engine, PROBLEMS[:2], settings(updates=1), 0),
        PolicyTrainer(engine, PROBLEMS, settings(updates=2), 0),
        PolicyTrainer(engine, PROBLEMS, settings(updates=1), 1),
    ):
        with pytest.raises(ArtifactError, match="state of another training"):
            other.run(lambda row: None, state)


def test_validation_keeps_the_first_of_the_best(engine: RolloutEngine) -> None:
    seen: list[Tensor] = []
    scores = iter((0.2, 0.7, 0.7, 0.1))

    def validate(policy: LearnedPolicy) -> float:
        seen.append(policy.head.weight.detach().clone())
        return next(scores)

    trainer = PolicyTrainer(engine, PROBLEMS, settings(validate_every=1), 0, validate)
    rows = trainer.run(lambda row: None)
    assert [row["val_pass"] for row in rows] == [0.2, 0.7, 0.7, 0.1]
    assert torch.equal(trainer.policy.head.weight, seen[1])
    assert not torch.equal(seen[1], seen[2])


def test_a_failure_to_grade_ends_the_run_and_is_no_reward(
    make_model: Callable[..., Any], tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    engine = engine_of(make_model("llada-micro"), tokenizer, "infrastructure")
    rows: list[Row] = []
    with pytest.raises(GradingError, match="no verdict"):
        PolicyTrainer(engine, PROBLEMS, settings(warm_start=None), 0).run(rows.append, tmp_path / "state")
    with pytest.raises(GradingError, match="no verdict"):
        engine.pass_rate(PROBLEMS, Fraction(1, 2), LearnedPolicy())
    assert rows == []
    assert not (tmp_path / "state").exists()
    for verdict in ("wrong", "error", "timeout", "memory"):
        assert (
            engine_of(make_model("llada-micro"), tokenizer, verdict).pass_rate(
                PROBLEMS, Fraction(1, 2), LearnedPolicy()
            )
            == 0.0
        )


def test_a_decoder_that_commits_or_does_not_trains_a_policy_that_does(make_model, tokenizer) -> None:
    grader: Any = FakeGrader()
    engine = RolloutEngine(make_model("llada-micro").requires_grad_(False), tokenizer, grader, N, "unmasking")
    trainer = PolicyTrainer(
        engine, PROBLEMS, settings(exploration="token", warm_start="confidence:2"), seed=0
    )
    before = [value.clone() for value in trainer.policy.parameters()]
    rows = trainer.run(lambda row: None)
    assert trainer.policy.shape.action == "commit"
    assert len(rows) == 4
    assert any(not torch.equal(a, b) for a, b in zip(before, trainer.policy.parameters(), strict=True))
    with pytest.raises(ConfigError, match="trajectory shifts step sizes, and unmasking has none"):
        PolicyTrainer(engine, PROBLEMS, settings(exploration="trajectory"), seed=0)
