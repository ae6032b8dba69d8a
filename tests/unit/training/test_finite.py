"""What is not finite ends a training where it first appears, with its name, and no state is overwritten."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import BaseModel
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from xpflow.errors import ConfigError
from xpflow.grading.verdict import Verdict
from xpflow.problems import Problem
from xpflow.problems.micropy import load
from xpflow.runtime.machine import Machine
from xpflow.study.config.training import FullSettings, GrpoBlock, TrainingBlock, TrainingRun
from xpflow.training.corruption import Corrupted
from xpflow.training.examples import OwnAnswers
from xpflow.training.finite import TrainingError
from xpflow.training.objective import Loss, Objective, Term, make_loss
from xpflow.training.objectives import OBJECTIVES
from xpflow.training.policy.grpo import PolicyTrainer
from xpflow.training.policy.rollout import RolloutEngine, Rollouts
from xpflow.training.policy.update import advantages
from xpflow.training.student import Prediction, Student
from xpflow.training.trainer import Trainer
from xpflow.training.tuning import tuner

Make = Callable[..., Any]
PROBLEMS = load("mbpp", "train")[:4]


class Settings(BaseModel):
    """Where a loss breaks, and a number that pydantic alone would let through."""

    update: int = 99
    how: str = "value"
    weight: float = 1.0


class Breaking(Loss):
    """Cross-entropy, and a second term that breaks at an update: its value, or only its gradient."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.count = settings, 0

    def forward(self, student: Student, batch: Corrupted) -> Prediction:
        self.count += 1
        return student.predict(batch)

    def terms(self, outputs: Prediction, batch: Corrupted) -> Mapping[str, Term]:
        ce_BK = outputs.terms(batch.target_BK, ["ce"])["ce"]
        extra = ce_BK.mean()
        if self.count == self.settings.update:
            extra = extra * math.inf if self.settings.how == "value" else (extra - extra.detach()).sqrt()
        return {"ce": Term(ce_BK, batch.mask_BK), "extra": Term(extra)}


@dataclass
class FastExtra(Breaking):
    """A loss whose own module has no finite learning rate."""

    settings: Settings
    count: int = 0
    rates = {"scale": math.inf}  # noqa: RUF012

    def modules(self, model: Any) -> Mapping[str, torch.nn.Module]:
        return {"scale": torch.nn.Linear(1, 1)}


@pytest.fixture
def breaking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the two losses above among the objectives."""
    entries = {
        "breaking": Objective(Settings, Breaking, "breaks"),
        "fast": Objective(Settings, FastExtra, "too fast"),
    }
    plain = type(OBJECTIVES).__getitem__
    monkeypatch.setattr(
        type(OBJECTIVES), "__getitem__", lambda table, name: entries.get(name) or plain(table, name)
    )


def trainer(model: Any, data: OwnAnswers, objective: str = "x_prediction", **settings: Any) -> Trainer:
    rate = settings.pop("rate", 1e-3)
    full = FullSettings(updates=4, batch_size=5, learning_rate=rate)
    block = TrainingBlock(full=full, log_every=1, warmup_updates=0, decay_share=0.0)
    run = TrainingRun(name="paper", objective=objective, settings=settings)
    return tuner(model, data, block, run, True, 0, machine=Machine(checkpoint_every=1))


@pytest.mark.parametrize(
    ("how", "names"),
    [
        ("value", "update 3, terms of the loss: extra = inf"),
        ("gradient", "update 3, gradients: .*not finite"),
    ],
)
def test_a_loss_or_gradient_that_is_not_finite_is_named_and_the_state_before_it_stays(
    how: str, names: str, breaking: None, make_model: Make, data: OwnAnswers, tmp_path: Path
) -> None:
    found = trainer(make_model("llada-micro"), data, "breaking", update=3, how=how)
    state = tmp_path / "state"
    with pytest.raises(TrainingError, match=names):
        found.run(lambda row: None, state)
    kept = torch.load(state, weights_only=True)
    assert '"update": 2,' in kept["progress"]
    assert all(bool(value.isfinite().all()) for value in kept["module"].values())
    assert all(bool(p.isfinite().all()) for p in found.student.parameters()), "not even in memory"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("where", ["model.transformer.ln_f.weight", "model.transformer.wte.weight"])
def test_weights_that_are_not_finite_are_named_before_anything_is_trained(
    value: float, where: str, make_model: Make, tokenizer: PreTrainedTokenizerBase, data: OwnAnswers
) -> None:
    model = make_model("llada-micro")
    with torch.no_grad():
        model.state_dict()[where].view(-1)[3] = value
    with pytest.raises(TrainingError, match=rf"{where} is not finite \(1 of"):
        trainer(model, data)
    with pytest.raises(TrainingError, match=f"the frozen model: {where} is not finite"):
        engine_of(model, tokenizer)


@pytest.mark.parametrize("rate", [1e30, 1e38, 1e308])
def test_weights_that_overflow_end_the_run_with_the_number_of_the_update(
    rate: float, make_model: Make, data: OwnAnswers, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    with pytest.raises(TrainingError, match=r"update [12]\b|curves of the log"):
        trainer(make_model("llada-micro"), data, rate=rate).run(lambda row: None, state)
    if state.exists():
        kept = torch.load(state, weights_only=True)["module"]
        assert all(bool(value.isfinite().all()) for value in kept.values())


def test_a_learning_rate_of_an_objectives_own_module_must_be_finite(
    breaking: None, make_model: Make, data: OwnAnswers
) -> None:
    with pytest.raises(TrainingError, match=r"learning rates: .* = inf"):
        trainer(make_model("llada-micro"), data, "fast")


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", math.nan, math.inf])
def test_settings_of_objectives_are_finite_whatever_their_model_allows(value: Any, breaking: None) -> None:
    with pytest.raises(ConfigError, match=r"objective 'breaking', weight: not a finite number"):
        make_loss("breaking", {"weight": value})
    with pytest.raises(ConfigError, match=r"objective 'x_prediction', kl_weight"):
        make_loss("x_prediction", {"kl_weight": value})


# The policy


class Grader:
    """Gives every program the verdict of its turn."""

    def __init__(self, *verdicts: str) -> None:
        self.verdicts = verdicts

    def grade(self, items: Sequence[tuple[Problem, str]]) -> list[Verdict]:
        names: Any = [self.verdicts[number % len(self.verdicts)] for number in range(len(items))]
        return [Verdict(problem.task_id, name) for (problem, _), name in zip(items, names, strict=True)]


def engine_of(model: Any, tokenizer: PreTrainedTokenizerBase, *verdicts: str) -> RolloutEngine:
    grader: Any = Grader(*(verdicts or ("passed", "wrong")))
    return RolloutEngine(model.requires_grad_(False), tokenizer, grader, 8, GrpoBlock().decoder)


def block(**changes: Any) -> GrpoBlock:
    small = {"updates": 3, "prompts_per_update": 2, "group_size": 3, "train_budget": Fraction(1, 2)}
    return GrpoBlock(**{**small, "hidden": 8, "warm_start": None, "checkpoint_every": 1, **changes})


@pytest.mark.parametrize("group", [2, 3, 5, 7, 8, 12])
@pytest.mark.parametrize("reward", [0.0, 0.1, 1.0, 1.1])
def test_a_group_of_equal_rewards_has_an_advantage_of_exactly_zero(group: int, reward: float) -> None:
    task_R, t_RN = torch.ones(2 * group), torch.full((2 * group, 5), reward)
    task_R[0] = 0.0  # the first group learns
    found, _ = advantages(task_R, t_RN, block(group_size=group))
    assert bool((found[group:] == 0).all())
    assert bool((found[:group] != 0).all())


def test_tokens_with_equal_rewards_have_none_beside_tokens_that_differ() -> None:
    task_R, t_RN = torch.ones(3), torch.tensor([[0.7, 0.1], [0.7, 0.2], [0.7, 0.3]])
    found, _ = advantages(task_R, t_RN, block())
    assert found[:, 0].tolist() == [0.0] * 3
    assert bool((found[::2, 1] != 0).all())


def test_an_update_of_flat_groups_moves_neither_weights_nor_moments(
    make_model: Make, tokenizer: PreTrainedTokenizerBase
) -> None:
    engine = engine_of(make_model("llada-micro"), tokenizer)
    trainer = PolicyTrainer(engine, PROBLEMS, block(completion_weight=0.0), 0)

    def frozen() -> list[Tensor]:
        moments = [value for entry in trainer.optimizer.state.values() for value in entry.values()]
        return [value.detach().clone() for value in (*trainer.policy.parameters(), *moments)]

    start = frozen()
    trainer._update(0)  # groups with variance: Adam has moments now, which move weights by themselves
    before = frozen()
    assert len(before) > len(start)
    assert not all(map(torch.equal, before, start))
    engine.grader = Grader("passed")  # type: ignore[assignment]
    row = trainer._update(1)
    assert row["groups_with_variance"] == 0.0
    assert all(map(torch.equal, frozen(), before))


@pytest.mark.parametrize(
    ("damage", "names"),
    [
        (lambda rolled: rolled.t_RN.view(-1)[2:3].fill_(math.nan), "update 2, rewards: final progress t is"),
        (lambda rolled: rolled.task_R[:1].fill_(math.inf), "update 2, rewards: task reward is"),
        (lambda rolled: rolled.decisions.features[0][:1].fill_(math.nan), "update 2, rollouts: features is"),
        (
            lambda rolled: rolled.decisions.densities[0][:1].fill_(-math.inf),
            "update 2, rollouts: log-densities is",
        ),
    ],
)
def test_a_reward_or_decision_that_is_not_finite_is_named_and_the_state_before_it_stays(
    damage: Callable[[Rollouts], object],
    names: str,
    make_model: Make,
    tokenizer: PreTrainedTokenizerBase,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine, state, done = engine_of(make_model("llada-micro"), tokenizer), tmp_path / "state", []
    plain = engine.roll

    def roll(*arguments: Any) -> Rollouts:
        rolled = plain(*arguments)
        done.append(rolled)
        if len(done) == 2:
            damage(rolled)
        return rolled

    monkeypatch.setattr(engine, "roll", roll)
    with pytest.raises(TrainingError, match=names):
        PolicyTrainer(engine, PROBLEMS, block(), 0).run(lambda row: None, state)
    kept = torch.load(state, weights_only=True)
    assert '"update": 1,' in kept["progress"]
    assert all(bool(value.isfinite().all()) for value in kept["module"].values())


def test_gradients_of_the_policy_that_overflow_are_named(
    make_model: Make, tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = PolicyTrainer(engine_of(make_model("llada-micro"), tokenizer), PROBLEMS, block(), 0)
    before = [p.detach().clone() for p in found.policy.parameters()]
    monkeypatch.setattr(
        "xpflow.training.policy.update.clipped_loss",
        lambda new, *rest, **more: (new - new.detach()).sqrt().sum(),
    )
    with pytest.raises(TrainingError, match="update 1, gradients of the clipped loss: hidden"):
        found.run(lambda row: None)
    assert all(map(torch.equal, found.policy.parameters(), before))


def test_a_validation_without_problems_is_an_error_and_no_score(
    make_model: Make, tokenizer: PreTrainedTokenizerBase
) -> None:
    engine = engine_of(make_model("llada-micro"), tokenizer)
    found = PolicyTrainer(engine, PROBLEMS, block(validate_every=1), 0, lambda policy: math.nan)
    with pytest.raises(TrainingError, match="update 1, validation: val_pass = nan"):
        found.run(lambda row: None)
