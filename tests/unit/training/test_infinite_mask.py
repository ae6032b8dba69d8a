"""Objectives with noisy masks on real models: the plain model at first, couplings, and self-distillation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from xpflow.errors import ArtifactError, ConfigError
from xpflow.masking.couplings import Couplings, load_couplings, make_couplings, noise_of
from xpflow.masking.mask_noise import NoiseShape, cell_of
from xpflow.masking.rollout import rollout_targets
from xpflow.microtext import WORLDS
from xpflow.models.extra import save_extra
from xpflow.runtime.machine import Machine
from xpflow.training.corruption import Corrupted
from xpflow.training.examples import Batch, OwnAnswers
from xpflow.training.objective import Loss, make_loss
from xpflow.training.student import Student
from xpflow.training.trainer import prepared

Make = Callable[..., Any]


def at_work(
    model: Any, data: OwnAnswers, name: str, values: dict[str, Any], base: Any = None
) -> tuple[Student, Loss, Corrupted]:
    loss = make_loss(name, values)
    student, _ = prepared(model, loss, Machine(), 0, base=base)
    clean = Batch.of(data.train[:6], model.config.pad_token_id)
    return student, loss, loss.corrupt(clean, model, torch.Generator().manual_seed(5))


@pytest.mark.parametrize("name", ["llada-micro", "llada2-micro", "mdlm"])
@pytest.mark.parametrize("noise", ["uniform", "gaussian", "table"])
def test_at_first_the_model_is_the_plain_one_bit_for_bit(
    name: str, noise: str, make_model: Make, data: OwnAnswers
) -> None:
    student, loss, batch = at_work(make_model(name), data, "infinite_mask", {"noise": noise})
    noisy = loss.forward(student, batch).logits_BKV
    plain = student.predict(batch).logits_BKV
    assert torch.equal(noisy, plain)
    with torch.no_grad():
        last = student.extra["noise"]
        (last.table if noise == "table" else last.layers[-1].weight).fill_(0.3)
    moved = loss.forward(student, batch).logits_BKV
    assert not torch.equal(moved, plain)


def test_a_table_of_one_mask_says_the_same_whatever_is_drawn(make_model: Make, data: OwnAnswers) -> None:
    student, loss, batch = at_work(
        make_model("llada-micro"), data, "infinite_mask", {"noise": "table", "masks": 1}
    )
    with torch.no_grad():
        student.extra["noise"].table.fill_(0.2)
    assert not batch.draws["noise_BKW"].any()
    other = loss.corrupt(
        Batch.of(data.train[:6], student.model.config.pad_token_id),
        student.model,
        torch.Generator().manual_seed(6),
    )
    same = batch.reading(batch.ids_BK, batch.mask_BK, noise_BKW=other.draws["noise_BKW"])
    assert torch.equal(loss.forward(student, batch).logits_BKV, loss.forward(student, same).logits_BKV)


@pytest.mark.parametrize("name", ["llada-micro", "mdlm"])
def test_noise_of_one_place_is_read_by_all_and_none_of_a_seen_place_counts(
    name: str, make_model: Make, data: OwnAnswers
) -> None:
    student, loss, batch = at_work(make_model(name), data, "infinite_mask", {})
    with torch.no_grad():
        student.extra["noise"].layers[-1].weight.normal_()
    before = loss.forward(student, batch).logits_BKV
    for seen in (True, False):
        place_BK = ~batch.mask_BK if seen else batch.mask_BK
        noise = torch.where(place_BK[..., None], -batch.draws["noise_BKW"], batch.draws["noise_BKW"])
        after = loss.forward(student, batch.reading(batch.ids_BK, batch.mask_BK, noise_BKW=noise)).logits_BKV
        rows_B = place_BK.any(-1)
        assert torch.equal(after, before) == seen
        if not seen:
            assert bool((after != before).any(-1)[rows_B].all())


@pytest.mark.parametrize("coupling", ["signs", "sum"])
def test_constructive_couplings_repeat_the_cell_of_the_noise(
    coupling: str, make_model: Make, data: OwnAnswers
) -> None:
    _, _, batch = at_work(
        make_model("llada-micro"), data, "infinite_mask", {"coupling": coupling, "words": 8}
    )
    word_B = cell_of(batch.draws["noise_BKW"], 8, coupling)  # type: ignore[arg-type]
    assert torch.equal(batch.target_BK, word_B[:, None].expand_as(batch.target_BK))
    assert torch.equal(batch.ids_BK[~batch.mask_BK], batch.target_BK[~batch.mask_BK])


def test_couplings_are_made_kept_and_learned_from(tmp_path: Path, make_model: Make, data: OwnAnswers) -> None:
    world, shape, places = WORLDS["agreement-8-3"], NoiseShape(width=4), len(data.train[0].response)

    def denoise(ids_BL: Tensor, open_BL: Tensor, noise_BLW: Tensor) -> Tensor:
        return world.denoiser(ids_BL, open_BL)

    made = make_couplings(denoise, shape, (20, 3), 1024, torch.Generator().manual_seed(0))
    assert bool((made.ids_ML == made.ids_ML[:, :1]).double().mean() > 0.9)
    made.save(tmp_path / "made.safetensors")
    found = load_couplings(tmp_path / "made.safetensors")
    assert torch.equal(found.ids_ML, made.ids_ML)
    assert torch.equal(found.noise(torch.tensor([7, 2]), shape), made.noise(torch.arange(20), shape)[[7, 2]])

    long = Couplings(torch.randint(9, (20, places)), made.seed_M)
    long.save(tmp_path / "long.safetensors")
    values = {"coupling": str(tmp_path / "long.safetensors"), "width": 4}
    _, _, batch = at_work(make_model("llada-micro"), data, "infinite_mask", values)
    for row, noise in zip(batch.target_BK, batch.draws["noise_BKW"], strict=True):
        [index] = (long.ids_ML == row).all(-1).nonzero().flatten().tolist()[:1]
        assert torch.equal(noise, noise_of(long.seed_M[index : index + 1], places, shape)[0])
    values = {"coupling": str(tmp_path / "made.safetensors"), "width": 4}
    with pytest.raises(ConfigError, match=f"couplings have 3 places, the sentences {places}"):
        at_work(make_model("llada-micro"), data, "infinite_mask", values)
    with pytest.raises(ArtifactError, match="holds no couplings"):
        make_loss("infinite_mask", {"coupling": str(tmp_path / "nowhere")})
    with pytest.raises(ConfigError, match="words belong to"):
        make_loss("infinite_mask", {"coupling": "signs"})


def test_a_rollout_s_target_is_the_distribution_that_decided_the_place() -> None:
    """On the oracle of a repeated word: what is decided second is certain, given what was decided first."""
    world = WORLDS["agreement-2-3"]
    ids_BL = torch.zeros(4, 3, dtype=torch.long)
    open_BL = torch.ones(4, 3, dtype=torch.bool)
    uniform = torch.full((4, 3, 2, 2), 0.9)
    uniform[:, 0, 0, 0] = 0.1
    uniform[2:, 0, 0, 1] = 0.1
    half = torch.full((4,), 0.5, dtype=torch.float64)
    found = rollout_targets(world.denoiser, ids_BL, open_BL, half, 0.1, uniform).exp()
    torch.testing.assert_close(found[:, 0], torch.full((4, 2), 0.5, dtype=torch.float64))
    certain = torch.tensor([[0.0, 1.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(found[:, 1], certain)
    torch.testing.assert_close(found[:, 2], certain)
    whole = rollout_targets(world.denoiser, ids_BL, open_BL, half, 0.6, uniform)
    torch.testing.assert_close(whole, world.denoiser(ids_BL, open_BL))  # one step decides all that is left


@pytest.mark.parametrize("divergence", ["backward", "forward"])
@pytest.mark.parametrize("infinite", [True, False])
def test_a_student_that_is_its_teacher_has_nothing_to_learn_from_one_step(
    infinite: bool, divergence: str, make_model: Make, data: OwnAnswers
) -> None:
    values = {"steps": 1, "infinite": infinite, "divergence": divergence}
    model, base = make_model("llada-micro"), make_model("llada-micro")
    base.load_state_dict(model.state_dict())
    student, loss, batch = at_work(model, data, "self_distillation", values, base)
    kl_BK = loss.forward(student, batch)
    assert kl_BK.detach().abs().max() < 1e-5
    several = make_loss("self_distillation", {**values, "steps": 2, "dt": 0.4})
    clean = Batch.of(data.train[:6], model.config.pad_token_id)
    other = several.corrupt(clean, model, torch.Generator().manual_seed(5))
    later_BK = several.forward(student, other)
    assert later_BK.detach()[other.mask_BK].max() > 1e-3
    assert later_BK.detach().min() > -1e-5
    later_BK[other.mask_BK].sum().backward()
    assert student.model.get_output_embeddings().weight.grad.abs().max() > 0
    assert all(p.grad is None for p in base.parameters())


def test_a_later_round_starts_from_its_teacher_s_noise(
    tmp_path: Path, make_model: Make, data: OwnAnswers
) -> None:
    model, base = make_model("llada-micro"), make_model("llada-micro")
    base.load_state_dict(model.state_dict())
    student, _, _ = at_work(model, data, "self_distillation", {"width": 4}, base)
    with torch.no_grad():
        for parameter in student.extra.parameters():
            parameter.normal_()
    save_extra(dict(student.extra.state_dict()), "self_distillation", {"width": 4}, tmp_path)
    values = {"width": 4, "steps": 1, "noise_from": str(tmp_path / "objective.safetensors")}
    later, loss, batch = at_work(model, data, "self_distillation", values, base)
    for name, value in student.extra.state_dict().items():
        assert torch.equal(later.extra.state_dict()[name], value)
    assert loss.forward(later, batch).detach().abs().max() < 1e-5, "teacher and student read the same noise"
    with torch.no_grad():
        for parameter in later.extra.parameters():
            parameter.mul_(0.5)
    assert loss.forward(later, batch).detach()[batch.mask_BK].max() > 1e-4
    with pytest.raises(ArtifactError, match="no g of this shape"):
        at_work(model, data, "self_distillation", {**values, "width": 5}, base)
