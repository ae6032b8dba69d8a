"""What saves memory changes no number: vocabulary in chunks, micro-batches, recomputed layers, bfloat16."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from xpflow.runtime.machine import Machine
from xpflow.runtime.processes import Team
from xpflow.study.config.training import FullSettings, LoraSettings, TrainingBlock, TrainingRun
from xpflow.training.corruption import Corrupted, masked
from xpflow.training.examples import Batch, OwnAnswers
from xpflow.training.student import TERMS, Hidden, chunked_terms, position_terms
from xpflow.training.trainer import Row, Trainer
from xpflow.training.tuning import tuner

Make = Callable[..., Any]
KINDS = [("llada-micro", True), ("llada2-micro", True), ("llada2-micro", False)]
EVERY_TERM = TrainingRun(
    name="all", objective="x_prediction", settings={"kl_weight": 0.5, "clean_weight": 0.3}
)


class Largest(TorchDispatchMode):
    """Remembers the largest number of elements of any tensor that an operation returned."""

    elements = 0

    def __torch_dispatch__(self, function: Any, types: Any, arguments: Any = (), keywords: Any = None) -> Any:
        found = function(*arguments, **(keywords or {}))
        for value in found if isinstance(found, (tuple, list)) else (found,):
            if isinstance(value, Tensor):
                self.elements = max(self.elements, value.numel())
        return found


def trainer(model: Any, data: OwnAnswers, full: bool, seed: int = 0, **machine: Any) -> Trainer:
    rate = 1e-2
    block = TrainingBlock(
        full=FullSettings(updates=3, learning_rate=rate, batch_size=5),
        lora=LoraSettings(updates=3, learning_rate=rate, batch_size=5, rank=8),
        log_every=1,
    )
    found = tuner(model, data, block, EVERY_TERM, full, seed, machine=Machine(**machine))
    if not full:  # B starts at zero, which would hide the adapters
        generator = torch.Generator().manual_seed(0)
        for parameter in found.trained:
            parameter.data = 0.1 * torch.randn(parameter.shape, generator=generator)
    return found


def batch_of(model: Any, data: OwnAnswers) -> Corrupted:
    batch = Batch.of(data.train, model.config.pad_token_id)
    return masked(batch, model, torch.Generator().manual_seed(0))


def gradients(found: Trainer, batch: Corrupted) -> tuple[float, list[Tensor]]:
    loss = found.measure(batch)["loss"]
    loss.backward()
    return loss.item(), [p.grad.clone() for p in found.trained if p.grad is not None]


@pytest.mark.parametrize(("name", "full"), KINDS)
@pytest.mark.parametrize("changed", [{"vocab_chunk": 7}, {"activation_checkpointing": True}])
def test_the_loss_and_its_gradient_are_those_of_all_logits_and_activations_at_once(
    name: str, full: bool, changed: dict[str, Any], make_model: Make, data: OwnAnswers
) -> None:
    model = make_model(name)
    batch, other = batch_of(model, data), make_model(name, seed=1).state_dict()
    plain, saving = (trainer(model, data, full, **machine) for machine in ({}, changed))
    if full:  # otherwise the KL term is zero
        plain.student.model.load_state_dict(other)
        saving.student.model.load_state_dict(other)
    (expected, wanted), (loss, found) = gradients(plain, batch), gradients(saving, batch)
    assert loss == pytest.approx(expected, rel=1e-5)
    assert len(wanted) == len(found) > 0
    for a, b in zip(wanted, found, strict=True):
        torch.testing.assert_close(b, a, rtol=1e-4, atol=1e-5 * float(a.abs().max()))


@pytest.mark.parametrize(("name", "full"), KINDS)
def test_a_run_in_small_pieces_is_the_run_in_one_piece(
    name: str, full: bool, make_model: Make, data: OwnAnswers
) -> None:
    def run(**machine: Any) -> tuple[Any, list[Row]]:
        found = trainer(make_model(name), data, full, 3, **machine)
        rows = found.run(lambda row: None)
        return found.model(torch.float32), rows

    whole, rows = run()
    pieces, again = run(micro_batch=2, vocab_chunk=5, activation_checkpointing=True)
    for key, value in whole.state_dict().items():
        torch.testing.assert_close(pieces.state_dict()[key], value, rtol=1e-4, atol=1e-5)
    for expected, found in zip(rows, again, strict=True):
        numbers, wanted = ({**row, "run": 0} for row in (found, expected))
        assert numbers == pytest.approx(wanted, rel=1e-4, abs=1e-7)


@pytest.mark.parametrize(("name", "full"), KINDS)
def test_with_chunks_no_tensor_is_as_large_as_all_logits(
    name: str, full: bool, make_model: Make, data: OwnAnswers
) -> None:
    model = make_model(name)
    batch, table = batch_of(model, data), model.get_input_embeddings().weight
    logits = batch.target_BK.numel() * len(table)
    with Largest() as plain:
        trainer(model, data, full).measure(batch)["loss"].backward()
    with Largest() as chunked:
        trainer(model, data, full, vocab_chunk=4).measure(batch)["loss"].backward()
    assert plain.elements >= logits
    assert chunked.elements < 0.5 * logits


def test_the_loss_of_a_vocabulary_as_large_as_the_8b_models_fits() -> None:
    vocabulary, width, rows, length = 126_464, 32, 2, 32
    generator = torch.Generator().manual_seed(0)
    table = 0.1 * torch.randn(vocabulary, width, generator=generator)
    head, other = (nn.Linear(width, vocabulary, bias=False) for _ in range(2))
    states = torch.randn(rows, length, width, generator=generator, requires_grad=True)
    target = torch.randint(vocabulary, (rows, length), generator=generator)
    with Largest() as seen:
        terms = chunked_terms(
            Hidden(states, head), target, table, TERMS, Hidden(states.detach(), other), chunk=8
        )
        sum(terms[name].mean() for name in ("error", "ce", "kl")).backward()
    assert seen.elements == vocabulary * width < vocabulary * rows * length
    with torch.no_grad():
        expected = position_terms(head(states[1, :2]), target[1, :2], table, TERMS, other(states[1, :2]))
    for name in TERMS:
        torch.testing.assert_close(terms[name][1, :2], expected[name], rtol=1e-4, atol=1e-5)
    assert states.grad is not None
    assert head.weight.grad is not None


@pytest.mark.parametrize("rows", [1, 2, 5, 7])
@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("at_a_time", [None, 1, 2])
def test_every_row_counts_once_in_pieces_that_are_alike_in_all_processes(
    rows: int, size: int, at_a_time: int | None
) -> None:
    shares = [Team(rank, size).rows(rows, at_a_time) for rank in range(size)]
    assert len({tuple(len(piece.numbers) for piece in share) for share in shares}) == 1
    counted = [
        number
        for share in shares
        for piece in share
        for number, counts in zip(piece.numbers, piece.counts, strict=True)
        if counts
    ]
    assert counted == list(range(rows))


@pytest.mark.parametrize(("name", "full"), KINDS)
def test_in_bfloat16_what_is_trained_is_float32_and_the_result_has_the_bases_precision(
    name: str, full: bool, make_model: Make, data: OwnAnswers
) -> None:
    model = make_model(name).bfloat16()
    found = trainer(model, data, full, dtype=torch.bfloat16, vocab_chunk=16)
    assert {p.dtype for p in found.trained} == {torch.float32}
    assert found.student.base is None or found.student.base.dtype == torch.bfloat16
    before, _ = gradients(trainer(make_model(name), data, full), batch_of(model, data))
    assert found.measure(batch_of(model, data))["loss"].item() == pytest.approx(before, rel=2e-2)
    rows = found.run(lambda row: None)
    assert {p.dtype for p in found.model(model.dtype).parameters()} == {torch.bfloat16}
    assert {state["exp_avg"].dtype for state in found.optimizers[0].state.values()} == {torch.float32}
    assert rows[-1]["mse_unmasked"] != rows[0]["mse_unmasked"]
