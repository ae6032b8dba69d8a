"""The objectives dsl, soft_masked and uniform_and_masked on real models: corners, gradients and bounds."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from fakes.decoding import OwnModules
from xpflow.decoding import settings_from
from xpflow.models.extra import find_extra, save_extra
from xpflow.probes.likelihood import cross_entropies
from xpflow.runtime.machine import Machine
from xpflow.study.config.training import FullSettings, LoraSettings, TrainingBlock, TrainingRun
from xpflow.training.corruption import Corrupted
from xpflow.training.examples import Batch, OwnAnswers
from xpflow.training.objective import Loss, make_loss
from xpflow.training.objectives.uniform_and_masked import noise_bound, own_evidence, uniform_noise
from xpflow.training.student import Student
from xpflow.training.trainer import prepared
from xpflow.training.tuning import tuner

Make = Callable[..., Any]
both = pytest.mark.parametrize("name", ["llada-micro", "llada2-micro"])


def at_work(
    model: Any, data: OwnAnswers, name: str, values: dict[str, Any] | None = None
) -> tuple[Student, Loss, Corrupted]:
    loss = make_loss(name, values or {})
    student, _ = prepared(model, loss, Machine(), 0)
    if name == "soft_masked":  # random weights are sure of nothing, and soft all the same
        with torch.no_grad():
            student.extra["soft_mask"].center_by.fill_(-6.0)
    clean = Batch.of(data.train[:8], model.config.pad_token_id)
    return student, loss, loss.corrupt(clean, model, torch.Generator().manual_seed(5))


# Noisy codes


@both
def test_at_large_s_the_logits_are_those_of_the_plain_tokens_bit_for_bit(
    name: str, make_model: Make, data: OwnAnswers
) -> None:
    student, loss, batch = at_work(make_model(name), data, "dsl", {"width": 16})
    ratio = torch.full_like(batch.draws["ratio_BK"], 1e5)
    clear = batch.reading(batch.target_BK, batch.mask_BK, ratio_BK=ratio)
    assert torch.equal(loss.forward(student, clear).logits_BKV, student.predict(clear).logits_BKV)


@both
def test_noise_stands_in_the_response_alone_and_the_loss_is_over_all_of_it(
    name: str, make_model: Make, data: OwnAnswers
) -> None:
    student, loss, batch = at_work(make_model(name), data, "dsl", {"width": 16})
    assert torch.equal(batch.mask_BK, batch.response_BK)
    assert torch.equal(batch.ids_BK, batch.target_BK)
    shown: list[Tensor] = []
    predict = student.predict
    student.predict = lambda part, read: shown.append(read) or predict(part, read)  # type: ignore[method-assign]
    terms = loss.terms(loss.forward(student, batch), batch)
    plain = student.embed(batch.ids_BK)
    same = (shown[0] == plain).all(-1)
    assert torch.equal(same, ~batch.response_BK)
    assert torch.equal(terms["ce"].over_BK, batch.response_BK)


def test_codes_and_s_max_stay_and_the_converter_learns(make_model: Make, data: OwnAnswers) -> None:
    block = TrainingBlock(full=FullSettings(updates=30, batch_size=8, learning_rate=3e-3), log_every=5)
    run = TrainingRun(name="dsl", objective="dsl", settings={"width": 16})
    found = tuner(make_model("llada-micro"), data, block, run, True, 0)
    before = {name: value.clone() for name, value in found.held.extra().items()}
    losses = [row["loss"] for row in found.run(lambda row: None) if "loss" in row]
    assert losses[-1] < losses[0]
    moved = {name for name, value in found.held.extra().items() if not torch.equal(value, before[name])}
    assert moved == {"converter.beta", "converter.weight", "converter.bias"}


def test_adapters_train_with_a_whole_converter_that_is_saved_with_them(
    make_model: Make, data: OwnAnswers, tmp_path: Path
) -> None:
    block = TrainingBlock(lora=LoraSettings(updates=2, batch_size=4, rank=2), log_every=5)
    run = TrainingRun(name="dsl", objective="dsl", settings={"width": 16})
    found = tuner(make_model("llada-micro"), data, block, run, False, 0)
    found.run(lambda row: None)
    extra = found.held.extra()
    save_extra(extra, "dsl", {"width": 16}, tmp_path)
    file = find_extra(tmp_path)
    assert file is not None
    assert (file.objective, file.settings, file.modules) == ("dsl", {"width": 16}, {"converter"})
    state = file.state("converter")
    assert {f"converter.{key}" for key in state} == extra.keys()
    assert all(torch.equal(value, extra[f"converter.{key}"]) for key, value in state.items())
    assert float(state["beta"]) != 1.0


def test_a_rate_of_its_own_is_the_converters(make_model: Make) -> None:
    assert make_loss("dsl", {"converter_rate": 0.5}).rates == {"converter": 0.5}
    assert make_loss("dsl").rates == {}


# Soft masks


@both
def test_without_weight_it_is_the_plain_model_bit_for_bit(
    name: str, make_model: Make, data: OwnAnswers
) -> None:
    student, loss, batch = at_work(make_model(name), data, "soft_masked", {"soft_share": 1.0})
    soft = loss.forward(student, batch).logits_BKV
    with torch.no_grad():
        student.extra["soft_mask"].logit.fill_(-torch.inf)
    plain = student.predict(batch).logits_BKV
    assert torch.equal(loss.forward(student, batch).logits_BKV, plain)
    assert not torch.equal(soft, plain)


@both
def test_one_token_of_full_weight_feeds_the_last_argmax(
    name: str, make_model: Make, data: OwnAnswers
) -> None:
    student, loss, batch = at_work(make_model(name), data, "soft_masked", {"soft_share": 1.0, "top": 1})
    with torch.no_grad():  # scale 1, and a sigmoid of 1 whatever the entropy
        student.extra["soft_mask"].logit.fill_(torch.inf)
        student.extra["soft_mask"].slope_by.fill_(1e6)
        student.extra["soft_mask"].center_by.fill_(-1e3)
        best = student.predict(batch).logits_BKV.argmax(-1)
    fed = batch.reading(torch.where(batch.mask_BK, best, batch.ids_BK), batch.mask_BK)
    torch.testing.assert_close(loss.forward(student, batch).logits_BKV, student.predict(fed).logits_BKV)


def test_gradients_reach_the_three_scalars_and_only_soft_rows_give_them(
    make_model: Make, data: OwnAnswers
) -> None:
    student, loss, batch = at_work(make_model("llada-micro"), data, "soft_masked", {"soft_share": 0.5})
    soft_B = batch.draws["soft_B"]
    assert 0 < int(soft_B.sum()) < len(soft_B)
    for chosen, has in ((soft_B, True), (~soft_B, False)):
        student.zero_grad()
        values = loss.terms(loss.forward(student, batch), batch)["ce"].rows(len(soft_B))
        values[chosen].sum().backward()
        gradients = [float(p.grad) for p in student.extra["soft_mask"].parameters()]
        assert all((value != 0) == has for value in gradients)


def test_rows_that_are_not_soft_read_plain_masks(make_model: Make, data: OwnAnswers) -> None:
    student, loss, batch = at_work(make_model("llada-micro"), data, "soft_masked", {"soft_share": 0.5})
    soft_B = batch.draws["soft_B"]
    found, plain = loss.forward(student, batch).logits_BKV, student.predict(batch).logits_BKV
    torch.testing.assert_close(found[~soft_B], plain[~soft_B])
    assert bool(((found - plain).abs().amax((1, 2)) > 1e-4)[soft_B].all())


def test_no_soft_rows_take_one_forward(make_model: Make, data: OwnAnswers) -> None:
    student, loss, batch = at_work(make_model("llada-micro"), data, "soft_masked", {"soft_share": 0.0})
    assert torch.equal(loss.forward(student, batch).logits_BKV, student.predict(batch).logits_BKV)


@both
def test_the_probe_s_second_pass_is_what_soft_rows_are_trained_on(
    name: str, make_model: Make, data: OwnAnswers
) -> None:
    model = make_model(name)
    student, loss, batch = at_work(model, data, "soft_masked", {"soft_share": 1.0, "top": 2})
    model.objective_file = OwnModules(model)
    model.objective_file.states["soft_mask"] = student.extra["soft_mask"].state_dict()
    values = {"gen_length": 8, "weighting": "learned", "geometry": "linear", "top": 2}
    first, second = cross_entropies(model, batch, 2, settings_from("soft_tokens", values))
    trained = loss.terms(loss.forward(student, batch), batch)["ce"].values
    torch.testing.assert_close(second[batch.mask_BK], trained[batch.mask_BK].detach())
    assert not torch.allclose(first[batch.mask_BK], second[batch.mask_BK], rtol=1e-4)


# Masks and random tokens


def test_corrupted_places_are_masks_or_uniform_tokens(make_model: Make, data: OwnAnswers) -> None:
    model, loss = make_model("llada-micro"), make_loss("uniform_and_masked", {"uniform": 0.25})
    clean = Batch.of(data.train * 100, model.config.pad_token_id)
    batch = loss.corrupt(clean, model, torch.Generator().manual_seed(0))
    assert torch.equal(batch.ids_BK[~batch.mask_BK], batch.target_BK[~batch.mask_BK])
    held, size = batch.ids_BK[batch.mask_BK], model.config.vocab_size
    masks = (held == model.config.mask_token_id).double().mean()
    assert float(masks) == pytest.approx(0.75, abs=0.03)
    random = held[held != model.config.mask_token_id].double()
    assert float(random.mean()) == pytest.approx(size / 2, rel=0.05)
    share_B = batch.mask_BK.double().sum(-1) / batch.response_BK.sum(-1)
    expected_B = 1 - batch.draws["alpha_B"].double()
    assert float((share_B - expected_B).mean()) == pytest.approx(0.0, abs=0.02)
    assert float(torch.corrcoef(torch.stack((share_B, expected_B)))[0, 1]) > 0.8


def test_without_random_tokens_the_bound_is_cross_entropy_at_masks_over_t() -> None:
    size, mask = 7, 6
    pi = uniform_noise(size, mask, 0.0, torch.zeros(size))
    log_p = torch.randn(5, size, dtype=torch.float64)
    log_p[:, mask] = -torch.inf
    log_p, target = log_p.log_softmax(-1), torch.arange(5)
    alpha = torch.linspace(0.1, 0.9, 5, dtype=torch.float64)
    ce = -log_p.gather(-1, target[:, None])[:, 0]
    at_masks = noise_bound(log_p, target, torch.full((5,), mask), alpha, pi.double())
    torch.testing.assert_close(at_masks, ce / (1 - alpha))
    seen = noise_bound(log_p, target, target, alpha, pi.double())
    assert torch.equal(seen, torch.zeros(5).double())


def lost_in_all(p: Tensor, said: Tensor, share: float, nodes: int = 4000) -> float:
    """Return what one place with tokens p loses on its way, for a prediction [V, V] by what it holds."""
    size = len(p)
    pi = uniform_noise(size, size - 1, share, torch.zeros(size)).double()
    t = (torch.arange(nodes, dtype=torch.float64) + 0.5) / nodes
    total = torch.zeros(nodes, dtype=torch.float64)
    for x, z in product(range(size - 1), range(size)):
        chance = p[x] * ((1 - t) * (x == z) + t * pi[z])
        log_p = said[z].log().expand(nodes, size)
        total += chance * noise_bound(log_p, torch.full((nodes,), x), torch.full((nodes,), z), 1 - t, pi)
    return float(total.mean())


@pytest.mark.parametrize("share", [0.0, 0.1, 0.6, 1.0])
def test_the_bound_is_the_entropy_of_a_model_that_leaves_its_own_place_out(share: float) -> None:
    """One place, by quadrature over t: the best p is what all others say of it, here nothing but p itself."""
    p = torch.tensor([0.5, 0.3, 0.15, 0.05, 0.0], dtype=torch.float64)
    entropy = float(-(p[:4] * p[:4].log()).sum())
    assert lost_in_all(p, p.expand(5, 5), share) == pytest.approx(entropy, rel=2e-3)
    for other in ([0.4, 0.4, 0.1, 0.1, 0.0], [0.25, 0.25, 0.25, 0.25, 0.0]):
        assert lost_in_all(p, torch.tensor(other).double().expand(5, 5), share) > entropy + 0.01
    copies = 0.5 * p + 0.5 * torch.eye(5, dtype=torch.float64)  # counts what it holds once more
    copies[4] = p
    found = lost_in_all(p, copies, share)
    assert (found > entropy + 0.01) if share else (found == pytest.approx(entropy, rel=2e-3))


def test_what_is_lost_is_a_divergence_of_rates() -> None:
    """It is 0 where the model knows the token, and never negative."""
    size, mask = 9, 8
    pi = uniform_noise(size, mask, 0.3, torch.zeros(size)).double()
    generator = torch.Generator().manual_seed(0)
    target, held = (torch.randint(8, (200,), generator=generator) for _ in range(2))
    alpha = torch.rand(200, generator=generator, dtype=torch.float64) * 0.98 + 0.01
    logits = torch.randn(200, size, generator=generator, dtype=torch.float64)
    logits[:, mask] = -torch.inf
    assert float(noise_bound(logits.log_softmax(-1), target, held, alpha, pi).min()) > 0
    sure = torch.full((200, size), -torch.inf, dtype=torch.float64)
    sure[torch.arange(200), target] = 0.0
    found = noise_bound(sure, target, held, alpha, pi)
    torch.testing.assert_close(found, torch.zeros(200).double(), atol=1e-9, rtol=0)


@pytest.mark.parametrize("loss", ["bound", "cross_entropy"])
def test_both_losses_have_finite_gradients_and_fall(loss: str, make_model: Make, data: OwnAnswers) -> None:
    block = TrainingBlock(full=FullSettings(updates=30, batch_size=12, learning_rate=3e-3), log_every=10)
    run = TrainingRun(name="u", objective="uniform_and_masked", settings={"loss": loss})
    rows = tuner(make_model("llada-micro"), data, block, run, True, 0).run(lambda row: None)
    losses = [row["loss"] for row in rows if "loss" in row]
    assert losses[-1] < losses[0]


def test_own_evidence_is_bayes_rule() -> None:
    prior = torch.tensor([0.5, 0.3, 0.15, 0.05, 0.0], dtype=torch.float64)
    pi = uniform_noise(5, 4, 0.4, torch.zeros(5)).double()
    for held in range(4):
        likelihood = 0.7 * (torch.arange(5) == held) + 0.3 * pi[held]
        found = own_evidence(prior.log(), torch.tensor(held), 0.7, pi).exp()
        torch.testing.assert_close(found, prior * likelihood / (prior * likelihood).sum())
    at_mask = own_evidence(prior.log(), torch.tensor(4), 0.7, pi).exp()
    torch.testing.assert_close(at_mask, prior)


def test_the_bound_is_the_closed_form_that_xdlm_gives() -> None:
    """Written out from the released code's algebra (arXiv 2602.01362), all its terms times V."""
    size, mask, k, rows = 11, 10, 0.3, 60
    generator = torch.Generator().manual_seed(0)
    p = torch.rand(rows, size, generator=generator, dtype=torch.float64)
    p[:, mask] = 0
    p = p / p.sum(-1, keepdim=True)
    x, z = (torch.randint(high, (rows,), generator=generator) for high in (size - 1, size))
    z = torch.where(torch.arange(rows) % 3 == 0, x, z)
    alpha = torch.rand(rows, generator=generator, dtype=torch.float64) * 0.9 + 0.05
    beta, rows_n, same = 1 - alpha, torch.arange(rows), (x == z).double()

    def f(token: Tensor, noise: Any) -> Tensor:
        return alpha * size * token + beta * noise

    noise_z = k + size * (1 - k) * (z == mask).double()
    p_x, p_z = f(p[rows_n, x], k), f(p[rows_n, z], noise_z)
    one_x, one_z = f(torch.ones(rows).double(), k), f(same, noise_z)
    apart = -(alpha[:, None] * size * p + beta[:, None] * k).log().mean(-1)
    apart = apart + (beta * k).log() * (size - 1) / size + one_x.log() / size
    inner = size * (same - p[rows_n, z]) / p_z - (one_z / p_z).log() / alpha + (one_x / p_x).log()
    factor = torch.where(x == z, k / one_x, 1 / beta)
    expected = factor * (inner + k * beta / alpha * apart)
    pi = uniform_noise(size, mask, k, torch.zeros(size)).double()
    torch.testing.assert_close(noise_bound(p.log(), x, z, alpha, pi), expected, atol=1e-6, rtol=1e-6)


# Own predictions


@both
def test_conditioned_rows_read_the_argmax_and_the_others_their_masks(
    name: str, make_model: Make, data: OwnAnswers
) -> None:
    student, loss, batch = at_work(make_model(name), data, "self_conditioned")
    own_B = batch.draws["own_B"]
    assert 0 < int(own_B.sum()) < len(own_B)
    plain = student.predict(batch).logits_BKV
    best = torch.where(batch.mask_BK, plain.argmax(-1), batch.ids_BK)
    fed = student.predict(batch.reading(best, batch.mask_BK)).logits_BKV
    outputs = loss.forward(student, batch)
    torch.testing.assert_close(outputs.logits_BKV, torch.where(own_B[:, None, None], fed, plain))
    assert not torch.equal(fed, plain)
    assert torch.equal(loss.terms(outputs, batch)["ce"].over_BK, batch.mask_BK)


def test_without_conditioned_rows_it_is_mask_prediction(make_model: Make, data: OwnAnswers) -> None:
    student, loss, batch = at_work(make_model("llada-micro"), data, "self_conditioned", {"share": 0.0})
    assert torch.equal(loss.forward(student, batch).logits_BKV, student.predict(batch).logits_BKV)
