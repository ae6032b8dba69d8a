"""Training runs: what alignment's loss does, what it leaves alone, and that runs resume to the same bytes."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from xpflow.artifacts.code import covered
from xpflow.errors import ArtifactError, DataError
from xpflow.runtime.machine import Machine
from xpflow.study.config.training import FullSettings, LoraSettings, TrainingBlock, TrainingRun
from xpflow.training.corruption import Corrupted, masked
from xpflow.training.examples import Batch, OwnAnswers, epoch_order
from xpflow.training.objectives import OBJECTIVES
from xpflow.training.trainer import Row, Trainer
from xpflow.training.tuning import tuner

Make = Callable[..., Any]
PAPER = TrainingRun(name="paper", objective="x_prediction")
PRESERVING = TrainingRun(name="preserving", objective="x_prediction", settings={"kl_weight": 0.5})
KINDS = [("llada-micro", True), ("llada2-micro", True), ("llada2-micro", False)]


def block(updates: int, rate: float = 1e-2) -> TrainingBlock:
    full = FullSettings(updates=updates, learning_rate=rate, batch_size=5)
    lora = LoraSettings(updates=updates, learning_rate=rate, batch_size=5, rank=8)
    return TrainingBlock(full=full, lora=lora, log_every=max(1, updates // 5))


def batch_of(model: Any, data: OwnAnswers) -> Corrupted:
    batch = Batch.of(data.train, model.config.pad_token_id)
    return masked(batch, model, torch.Generator().manual_seed(0))


def loss(trainer: Trainer, batch: Corrupted) -> Tensor:
    return trainer.measure(batch)["loss"]


class Killed(Exception):
    """The run ends here."""


def kill_at(update: int) -> Callable[[dict[str, Any]], None]:
    def report(row: dict[str, Any]) -> None:
        if row["update"] == update:
            raise Killed

    return report


@pytest.mark.parametrize(("name", "full"), KINDS)
def test_a_resumed_run_has_the_weights_and_log_of_an_uninterrupted_one(
    name: str, full: bool, make_model: Make, data: OwnAnswers, tmp_path: Path
) -> None:
    def run(report: Callable[[Row], None], state: Path) -> tuple[Any, list[Row]]:
        machine = Machine(checkpoint_every=1)
        trainer = tuner(make_model(name), data, block(4), PRESERVING, full, 3, machine=machine)
        rows = trainer.run(report, state)
        return trainer.model(torch.float32), rows

    whole, rows = run(kill_at(99), tmp_path / "whole")
    assert [row["update"] for row in rows] == [0, 1, 2, 3, 4]
    for end in (1, 3, 4):
        state = tmp_path / f"{end}"
        with pytest.raises(Killed):
            run(kill_at(end), state)
        resumed, again = run(kill_at(99), state)
        assert again == rows
        for key, value in whole.state_dict().items():
            assert torch.equal(value, resumed.state_dict()[key]), (end, key)


@pytest.mark.parametrize(("name", "full"), [KINDS[0], KINDS[2]])
def test_a_run_may_have_updates_and_a_batch_of_its_own(
    name: str, full: bool, make_model: Make, data: OwnAnswers
) -> None:
    own = PAPER.model_copy(update={"updates": 2, "batch_size": 3})
    found = tuner(make_model(name), data, block(4), own, full, 0)
    same = tuner(make_model(name), data, block(2), PAPER, full, 0)
    assert (found.course.updates, same.course.updates) == (2, 2)
    assert (len(found.examples(0)), len(same.examples(0))) == (3, 5)
    assert [row["update"] for row in found.run(lambda row: None)] == [0, 1, 2]


@pytest.mark.parametrize(("name", "full"), [KINDS[0], KINDS[2]])
def test_alignment_lowers_the_error_at_unmasked_positions_and_leaves_the_base_alone(
    name: str, full: bool, make_model: Make, data: OwnAnswers
) -> None:
    model = make_model(name)
    with torch.no_grad():
        model.get_input_embeddings().weight.mul_(10)
    watched = OwnAnswers(data.train, data.train, data.heldout)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    rows = tuner(model, watched, block(40), PAPER, full, 0).run(lambda row: None)
    assert rows[-1]["mse_unmasked"] < (0.5 if full else 0.8) * rows[0]["mse_unmasked"]
    assert rows[-1]["acc_unmasked"] > rows[0]["acc_unmasked"]
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize(("name", "full"), KINDS)
def test_the_preserving_term_is_zero_before_the_first_update(
    name: str, full: bool, make_model: Make, data: OwnAnswers
) -> None:
    model = make_model(name)
    paper, preserving = (tuner(model, data, block(1), run, full, 0) for run in (PAPER, PRESERVING))
    batch = batch_of(model, data)
    assert loss(paper, batch).item() == pytest.approx(loss(preserving, batch).item(), rel=1e-6)


def test_the_preserving_term_pulls_towards_the_base_at_masked_positions_only(
    make_model: Make, data: OwnAnswers
) -> None:
    model = make_model("llada-micro")
    preserving, paper = (tuner(model, data, block(1), run, True, 0) for run in (PRESERVING, PAPER))
    other = make_model("llada-micro", seed=1)
    preserving.student.model.load_state_dict(other.state_dict())
    paper.student.model.load_state_dict(other.state_dict())
    batch = batch_of(model, data)
    with torch.no_grad():
        p, q = (m(**batch.inputs).logits.log_softmax(-1) for m in (model, other))
        kl_BK = (p.exp() * (p - q)).sum(-1)
        extra = (kl_BK * batch.mask_BK).sum(-1) / batch.mask_BK.sum(-1)
        assert float(loss(preserving, batch) - loss(paper, batch)) == pytest.approx(
            0.5 * float(extra.mean()), rel=1e-3
        )


def test_the_embedding_table_is_a_constant_of_the_loss(make_model: Make, data: OwnAnswers) -> None:
    trainer = tuner(make_model("llada-micro"), data, block(1), PAPER, True, 0)
    batch = batch_of(trainer.student.model, data)
    loss(trainer, batch).backward()
    table = trainer.student.model.get_input_embeddings().weight
    read = torch.zeros(len(table), dtype=torch.bool)
    read[batch.inputs["input_ids"].flatten()] = True
    assert (table.grad[~read] == 0).all()
    assert (table.grad[read] != 0).any()


def test_a_state_of_other_data_or_settings_is_refused(
    make_model: Make, data: OwnAnswers, tmp_path: Path
) -> None:
    model, state = make_model("llada-micro"), tmp_path / "state"
    saving = tuner(model, data, block(3), PAPER, True, 0, machine=Machine(checkpoint_every=1))
    with pytest.raises(Killed):
        saving.run(kill_at(2), state)
    others = OwnAnswers(data.train[1:], data.probe, data.heldout)
    for trainer in (
        tuner(model, others, block(3), PAPER, True, 0),
        tuner(model, data, block(3), PRESERVING, True, 0),
        tuner(model, data, block(3), PAPER, True, 1),
    ):
        with pytest.raises(ArtifactError, match="state of another training"):
            trainer.run(kill_at(99), state)


def test_rows_are_sorted_by_kind_and_no_held_out_answers_is_no_error(
    make_model: Make, data: OwnAnswers
) -> None:
    rows = [{"kind": kind, "prompt_ids": [5, 6], "response": [7] * 8} for kind in ("train", "probe", "train")]
    found = OwnAnswers.from_rows(rows)
    assert (len(found.train), len(found.probe), len(found.heldout)) == (2, 1, 0)
    log = tuner(make_model("llada-micro"), found, block(1), PAPER, True, 0).run(lambda row: None)
    assert math.isnan(log[-1]["ce_heldout"])
    with pytest.raises(DataError, match="train"):
        OwnAnswers.from_rows(rows[1:2])


def test_a_change_of_decoding_or_grading_makes_no_training_run_stale() -> None:
    found = covered("train", [f"objective:{name}" for name in OBJECTIVES])
    assert "xpflow.training.trainer" in found
    assert not [name for name in found if name.startswith(("xpflow.decoding", "xpflow.grading"))]


def test_an_epoch_uses_every_example_once() -> None:
    for epoch in range(3):
        used = [i for step in range(4) for i in epoch_order(12, 5, 4 * epoch + step, 3)]
        assert sorted(used) == list(range(12))
    assert epoch_order(12, 5, 0, 3) != epoch_order(12, 6, 0, 3)
