"""Objectives in a file outside the package train, fit into memory, are saved and resume as our own do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch import nn

from xpflow.errors import ConfigError
from xpflow.models.extra import save_extra
from xpflow.runtime.machine import Machine
from xpflow.study.config.training import FullSettings, LoraSettings, TrainingBlock, TrainingRun
from xpflow.training.examples import OwnAnswers
from xpflow.training.objective import make_loss
from xpflow.training.objectives import OBJECTIVES
from xpflow.training.trainer import Row, Trainer, prepared
from xpflow.training.tuning import tuner

Make = Callable[..., Any]
FILE = Path(__file__).parents[2] / "fakes" / "objectives.py"
OUTSIDE = [f"{FILE}:{name}" for name in ("SOFT_MASKS", "MANY_MASKS", "GAUSSIAN_NOISE", "LEARNED_ORDER")]
KINDS = [("llada-micro", True), ("llada2-micro", True), ("llada2-micro", False)]
CONTINUOUS = ["dsl", "self_conditioned", "soft_masked", "uniform_and_masked"]  # ours, of the same kinds
outside = pytest.mark.parametrize("objective", OUTSIDE, ids=lambda name: name.partition(":")[2])
outside_and_ours = pytest.mark.parametrize(
    "objective", [*OUTSIDE, *CONTINUOUS], ids=lambda name: name.rpartition(":")[2]
)


class Killed(Exception):
    """The run ends here."""


def trainer(
    model: Any, data: OwnAnswers, objective: str, full: bool, updates: int = 3, **machine: Any
) -> Trainer:
    """Return the trainer of a run with an objective, in small steps."""
    block = TrainingBlock(
        full=FullSettings(updates=updates, batch_size=5, learning_rate=3e-3),
        lora=LoraSettings(updates=updates, batch_size=5, learning_rate=3e-3, rank=4),
        log_every=2,
        warmup_updates=0,
    )
    run = TrainingRun(name="outside", objective=objective)
    return tuner(model, data, block, run, full, 0, machine=Machine(checkpoint_every=1, **machine))


def kill_at(update: int) -> Callable[[Row], None]:
    def report(row: Row) -> None:
        if row["update"] == update:
            raise Killed

    return report


def weights_of(found: Trainer) -> dict[str, torch.Tensor]:
    """Return all weights that a run ends with, its objective's own among them."""
    own = {f"extra.{name}": value.clone() for name, value in found.held.extra().items()}
    return {**own, **found.model(torch.float32).state_dict()}


@outside_and_ours
@pytest.mark.parametrize(("name", "full"), KINDS)
def test_a_killed_run_ends_with_the_bytes_of_an_uninterrupted_one(
    objective: str, name: str, full: bool, make_model: Make, data: OwnAnswers, tmp_path: Path
) -> None:
    whole = trainer(make_model(name), data, objective, full)
    rows = whole.run(lambda row: None)
    with pytest.raises(Killed):
        trainer(make_model(name), data, objective, full).run(kill_at(2), tmp_path / "state")
    resumed = trainer(make_model(name), data, objective, full)
    assert resumed.run(lambda row: None, tmp_path / "state") == rows
    found, wanted = weights_of(resumed), weights_of(whole)
    assert found.keys() == wanted.keys()
    assert all(torch.equal(value, wanted[key]) for key, value in found.items())


@outside
def test_what_an_objective_adds_is_trained_and_lowers_the_loss(
    objective: str, make_model: Make, data: OwnAnswers
) -> None:
    found = trainer(make_model("llada-micro"), data, objective, True, updates=30)
    before = {name: value.clone() for name, value in found.held.extra().items()}
    rows = found.run(lambda row: None)
    losses = [row["loss"] for row in rows if "loss" in row]
    assert sum(losses[-3:]) < sum(losses[:3])
    assert all(not torch.equal(value, before[name]) for name, value in found.held.extra().items())


@outside_and_ours
@pytest.mark.parametrize(("name", "full"), KINDS)
def test_micro_batches_and_chunks_of_the_vocabulary_change_no_number(
    objective: str, name: str, full: bool, make_model: Make, data: OwnAnswers
) -> None:
    def run(**machine: Any) -> tuple[dict[str, torch.Tensor], list[Row]]:
        found = trainer(make_model(name), data, objective, full, updates=2, **machine)
        rows = found.run(lambda row: None)
        return weights_of(found), rows

    (wanted, rows), (found, again) = run(), run(micro_batch=2, vocab_chunk=7, activation_checkpointing=True)
    assert [row["loss"] for row in again[1:]] == pytest.approx([row["loss"] for row in rows[1:]], rel=1e-4)
    for key, value in wanted.items():
        torch.testing.assert_close(found[key], value, rtol=1e-3, atol=1e-4)


def test_a_mask_whose_noise_is_still_zero_is_the_ordinary_mask(make_model: Make, data: OwnAnswers) -> None:
    many, plain = (
        trainer(make_model("llada-micro"), data, objective, True) for objective in (OUTSIDE[1], "masked")
    )
    assert float(many.update(0)["loss"]) == float(plain.update(0)["loss"])


def test_modules_of_an_objective_are_written_with_its_name_and_settings(
    make_model: Make, data: OwnAnswers, tmp_path: Path
) -> None:
    found = trainer(make_model("llada-micro"), data, OUTSIDE[0], True)
    save_extra(found.held.extra(), OUTSIDE[0], {"top": 2}, tmp_path)
    with safe_open(tmp_path / "objective.safetensors", "pt") as file:
        assert set(file.keys()) == {"mixing.scale", "mixing.steepness", "mixing.offset"}
        assert file.metadata() == {"objective": OUTSIDE[0], "settings": '{"top": 2}'}
    save_extra({}, "masked", {}, tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("objective", list(OBJECTIVES))
def test_every_objective_takes_its_own_examples(objective: str, make_model: Make, data: OwnAnswers) -> None:
    entry = OBJECTIVES[objective]
    assert entry.about
    for settings in entry.examples:
        block = TrainingBlock(full=FullSettings(updates=1, batch_size=4))
        run = TrainingRun(name="example", objective=objective, settings=dict(settings))
        found = tuner(make_model("llada-micro"), data, block, run, True, 0)
        assert found.run(lambda row: None)[-1]["loss"] > 0


def test_a_scalar_parameter_is_refused_before_several_processes_meet_it(make_model: Make) -> None:
    class Scalar(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.value = nn.Parameter(torch.tensor(1.0))

    loss = make_loss("masked")
    loss.modules = lambda model: {"one": Scalar()}  # type: ignore[method-assign]
    with pytest.raises(ConfigError, match="'value' of the objective's module 'one' is a scalar"):
        prepared(make_model("llada-micro"), loss, Machine(), 0)


def test_an_unknown_objective_or_setting_is_an_error_that_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'x_prediction'"):
        make_loss("x_predicton")
    with pytest.raises(ConfigError, match=r"kl_wait.*\n?.*did you mean 'kl_weight'"):
        make_loss("x_prediction", {"kl_wait": 0.3})
