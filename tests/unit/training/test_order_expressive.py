"""The objective of schedules on real models: what a row costs, three forwards, and where learning starts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from xpflow.errors import ConfigError
from xpflow.masking.alpha import powers
from xpflow.masking.schedule import make_schedule
from xpflow.runtime.machine import Machine
from xpflow.training.corruption import noisy_ids
from xpflow.training.examples import Batch, OwnAnswers
from xpflow.training.objective import Loss, make_loss
from xpflow.training.objectives.order_expressive import OBJECTIVE
from xpflow.training.student import Student
from xpflow.training.trainer import prepared

Make = Callable[..., Any]
LEARNED = {"schedule": "learned", "head_rate": 2e-3}


def at_work(model: Any, values: dict[str, Any], machine: Machine | None = None) -> tuple[Student, Loss]:
    loss = make_loss("order_expressive", values)
    return prepared(model, loss, machine or Machine(), 0)[0], loss


def outputs(model: Any, data: OwnAnswers, values: dict[str, Any], **machine: Any) -> dict[str, torch.Tensor]:
    """Return each row's terms, [B]."""
    student, loss = at_work(model, values, Machine(**machine))
    clean = Batch.of(data.train[:6], model.config.pad_token_id)
    batch = loss.corrupt(clean, model, torch.Generator().manual_seed(3))
    terms = student(lambda s: loss.terms(loss.forward(s, batch), batch))
    return {name: term.values for name, term in terms.items()}


BIDIRECTIONAL = pytest.mark.parametrize("name", ["llada-micro", "mdlm"])


@BIDIRECTIONAL
def test_before_training_a_learned_schedule_is_masked_diffusion_with_one_power(
    name: str, make_model: Make, data: OwnAnswers
) -> None:
    """Written out: w / t times cross-entropy at masks with probability t^w, over the density of t, twice."""
    student, loss = at_work(make_model(name), LEARNED)
    clean = Batch.of(data.train[:6], student.model.config.pad_token_id)
    batch = loss.corrupt(clean, student.model, torch.Generator().manual_seed(3))
    terms = loss.terms(loss.forward(student, batch), batch)
    found = {name: term.values.detach() for name, term in terms.items()}
    alpha, wanted_B = powers(torch.full(batch.target_BK.shape, 0.7)), torch.zeros(6, dtype=torch.float64)
    t_B = alpha.time(batch.draws["time_BU"])
    for drawn in ("first_BLU", "second_BLU"):
        mask_BK = batch.draws[drawn][..., 0] ** (1 / 0.7) <= t_B[:, None]
        noisy = batch.reading(noisy_ids(student.model, batch.target_BK, mask_BK), mask_BK)
        ce_BK = student.predict(noisy).terms(batch.target_BK, ["ce"])["ce"].detach()
        wanted_B += (ce_BK * mask_BK).sum(-1) * 0.7 / t_B / (0.35 * t_B**-0.65) / 2
    torch.testing.assert_close(
        found["main"].double(), wanted_B / batch.target_BK.shape[1], rtol=1e-4, atol=1e-6
    )
    assert found["velocity"].abs().max() < 1e-6
    assert found["score"].abs().max() == 0


def test_two_states_are_the_mean_of_two_draws_at_one_time(make_model: Make, data: OwnAnswers) -> None:
    student, loss = at_work(make_model("llada-micro"), {"states": 2})
    clean = Batch.of(data.train[:6], student.model.config.pad_token_id)
    batch = loss.corrupt(clean, student.model, torch.Generator().manual_seed(3))
    both_B = loss.terms(loss.forward(student, batch), batch)["main"].values
    one, halves = make_loss("order_expressive", {}), []
    for name in ("first_BLU", "second_BLU"):
        asked = batch.reading(
            batch.target_BK, batch.mask_BK, **{**batch.draws, "first_BLU": batch.draws[name]}
        )
        halves.append(one.terms(one.forward(student, asked), asked)["main"].values)
    torch.testing.assert_close(both_B, (halves[0] + halves[1]) / 2)
    assert not torch.allclose(halves[0], halves[1])
    assert OBJECTIVE.cost(OBJECTIVE.checked({"states": 2})).trained == 2


def test_a_learned_schedule_has_no_single_state() -> None:
    with pytest.raises(ConfigError, match="two states"):
        make_loss("order_expressive", {**LEARNED, "states": 1})


@pytest.mark.parametrize(
    "values", [LEARNED, {"states": 2}, {"schedule": "ordered"}, {"schedule": "blocks", "block": 4}]
)
def test_a_row_costs_the_same_alone_and_in_chunks(
    values: dict[str, Any], make_model: Make, data: OwnAnswers
) -> None:
    model = make_model("llada-micro")
    student, loss = at_work(model, values)
    batch = loss.corrupt(
        Batch.of(data.train[:6], model.config.pad_token_id), model, torch.Generator().manual_seed(1)
    )
    whole = loss.terms(loss.forward(student, batch), batch)
    alone = batch.take([4], torch.device("cpu"))
    for name, term in loss.terms(loss.forward(student, alone), alone).items():
        torch.testing.assert_close(term.values, whole[name].values[4:5], rtol=1e-4, atol=1e-5)
    chunked = outputs(make_model("llada-micro"), data, values, vocab_chunk=7)
    plain = outputs(make_model("llada-micro"), data, values)
    torch.testing.assert_close(chunked["main"], plain["main"], rtol=1e-4, atol=1e-5)


@BIDIRECTIONAL
def test_a_learned_schedule_takes_three_forwards_and_keeps_the_heads_gradient_out_of_the_backbone(
    name: str, make_model: Make, data: OwnAnswers, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_model(name)
    student, loss = at_work(model, LEARNED)
    counted: list[bool] = []
    forward = model.forward
    monkeypatch.setattr(
        model, "forward", lambda **inputs: (counted.append(torch.is_grad_enabled()), forward(**inputs))[1]
    )
    batch = loss.corrupt(
        Batch.of(data.train[:4], model.config.pad_token_id), model, torch.Generator().manual_seed(0)
    )
    found = loss.forward(student, batch)
    assert counted == [False, True, True]
    cost = OBJECTIVE.cost(OBJECTIVE.checked(LEARNED))
    assert (cost.free, cost.trained) == (1, 2), "what a plan reckons with is what runs"
    found.velocity_B.sum().backward()
    assert all(p.grad is None or p.grad.abs().max() == 0 for p in model.parameters())
    assert student.extra["reverse"].last.weight.grad is not None


@BIDIRECTIONAL
def test_its_heads_have_a_rate_of_their_own_and_move_the_powers(
    name: str, make_model: Make, data: OwnAnswers
) -> None:
    student, loss = at_work(make_model(name), LEARNED)
    assert dict(loss.rates) == {"order": 2e-3, "reverse": 2e-3}
    assert dict(make_loss("order_expressive").rates) == {}
    batch = loss.corrupt(
        Batch.of(data.train[:4], student.model.config.pad_token_id),
        student.model,
        torch.Generator().manual_seed(0),
    )
    order, reverse = (student.extra[name].last.weight for name in ("order", "reverse"))

    def backward() -> None:
        terms = loss.terms(loss.forward(student, batch), batch)
        torch.stack([term.values.sum() for term in terms.values()]).sum().backward()

    backward()
    assert order.grad.abs().max() > 0
    assert reverse.grad.abs().max() == 0, "it decides as the other masks: nothing is to be learned yet"
    with torch.no_grad():
        order -= 0.1 * order.grad.sign()
    backward()
    assert reverse.grad.abs().max() > 0


def test_what_cannot_be_is_refused(make_model: Make, data: OwnAnswers) -> None:
    model = make_model("llada2-micro")
    loss = make_loss("order_expressive", {"schedule": "ordered"})
    clean = Batch.of(data.train[:2], model.config.pad_token_id)
    with pytest.raises(ConfigError, match="an order of its own"):
        loss.corrupt(clean, model, torch.Generator())
    with pytest.raises(ConfigError, match="reads a bidirectional model"):
        prepared(model, make_loss("order_expressive", LEARNED), Machine(), 0)
    with pytest.raises(ConfigError, match="did you mean 'ordered'"):
        make_loss("order_expressive", {"schedule": "orderd"})
    with pytest.raises(ConfigError, match="did you mean 'smoothing'"):
        make_loss("order_expressive", {"schedule": "ordered", "smooting": 0.1})
    assert make_schedule("ordered").learned is False


def test_a_head_is_one_block_of_the_model_s_own_kind(make_model: Make) -> None:
    for name, kind in (("llada-micro", "LLaDABlock"), ("mdlm", "MDLMBlock")):
        student, _ = at_work(make_model(name), LEARNED)
        for head in student.extra.values():
            assert [type(one).__name__ for one in head.modules()].count(kind) == 1
            assert not head.last.weight.any()


def test_lomdm_trains_a_diffusion_transformer_and_repeats(make_model: Make, data: OwnAnswers) -> None:
    def trained() -> tuple[list[float], dict[str, torch.Tensor]]:
        model, losses = make_model("mdlm"), []
        student, loss = at_work(model, LEARNED)
        optimizer = torch.optim.AdamW(student.parameters(), lr=2e-3)
        for update in range(30):
            clean = Batch.of(data.train[:8], model.config.pad_token_id)
            batch = loss.corrupt(clean, model, torch.Generator().manual_seed(update))
            terms = loss.terms(loss.forward(student, batch), batch)
            optimizer.zero_grad()
            torch.stack([term.values.mean() for term in terms.values()]).sum().backward()
            optimizer.step()
            losses.append(float((terms["main"].values + terms["velocity"].values).detach().mean()))
        return losses, student.state_dict()

    losses, state = trained()
    again, same = trained()
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
    assert losses == again
    assert all(torch.equal(state[name], same[name]) for name in state)
    gates = [name for name in state if name.startswith("extra.order") and "adaLN_modulation.bias" in name]
    assert gates
    assert all(state[name].any() for name in gates)
