"""Models of MicroText worlds: trained by the one trainer, measured by the oracle."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from xpflow.artifacts.io import read_jsonl
from xpflow.cli import main
from xpflow.decoding import decode, settings_from
from xpflow.errors import ArtifactError, ConfigError
from xpflow.masking.couplings import load_couplings
from xpflow.masking.mask_noise import NoiseShape
from xpflow.masking.schedule import make_schedule
from xpflow.microtext import WORLDS
from xpflow.microtext.splits import load
from xpflow.microtext.tokenizer import mask_id
from xpflow.models.load import load_model
from xpflow.training.text_folder import load_text
from xpflow.training.text_measure import (
    TextModel,
    bound_scores,
    sample_quality,
    step_agreement,
)
from xpflow.training.text_orders import order_scores
from xpflow.training.text_run import TextRecipe, text_model, text_prompt, text_trainer
from xpflow.training.trainer import Row

AGREEMENT, AGREEMENT_2 = WORLDS["agreement-8-3"], WORLDS["agreement-2-3"]


def recipe(objective: str, updates: int = 60, **settings: Any) -> TextRecipe:
    return TextRecipe(
        objective, settings, updates, batch_size=32, learning_rate=4e-3, width=32, heads=2, log_every=20
    )


def trained(world: str, chosen: TextRecipe, schedule: str = "constant") -> tuple[TextModel, list[Row]]:
    trainer = text_trainer(WORLDS[world], chosen)
    rows = trainer.run(lambda row: None)
    return TextModel(trainer.student, WORLDS[world], make_schedule(schedule)), rows


def test_a_model_s_ids_are_the_world_s_and_its_words_sum_to_one() -> None:
    model, _ = trained("english", recipe("masked", 1))
    ids_BL = load(model.world, "validation")[:4]
    open_BL = torch.rand(ids_BL.shape, generator=torch.Generator().manual_seed(0)) < 0.5
    p_BLV = model.denoiser(ids_BL, open_BL).exp()
    assert p_BLV.shape == (4, 16, model.world.size)
    torch.testing.assert_close(p_BLV.sum(-1), torch.ones(4, 16, dtype=torch.float64))
    hidden = model.denoiser(ids_BL.masked_fill(open_BL, 3), open_BL).exp()
    assert torch.equal(hidden, p_BLV), "open places are not looked at"


@pytest.mark.parametrize(("begin", "width"), [(False, 3), (True, 4)])
def test_sentences_are_trained_on_without_padding(begin: bool, width: int) -> None:
    trainer, seen = text_trainer(AGREEMENT, replace(recipe("masked", 1), begin=begin)), []
    embed = trainer.student.model.get_input_embeddings()
    embed.register_forward_hook(lambda module, given, made: seen.append(tuple(made.shape)))
    trainer.run(lambda row: None)
    assert set(seen) == {(32, width, 32)}


@pytest.mark.parametrize("schedule", ["constant", "ordered", "learned"])
def test_training_lowers_the_bound_towards_the_floor(schedule: str) -> None:
    chosen = recipe("order_expressive", schedule=schedule)
    (before, _), (after, rows) = (
        trained("agreement-8-3", one, schedule) for one in (recipe("masked", 1), chosen)
    )
    if schedule == "learned":
        before = TextModel(after.student, after.world, make_schedule("constant"))
    ids_NL = AGREEMENT.sample(512, torch.Generator().manual_seed(0))
    found = bound_scores(after, ids_NL, draws=4)
    assert found.floor == pytest.approx(float(torch.tensor(8.0).log()), abs=1e-6)
    assert found.excess.value > -4 * found.excess.standard_error, "a bound"
    assert found.main.value + found.velocity.value == pytest.approx(found.excess.value)
    assert (found.velocity.value == 0) == (schedule != "learned")
    untrained = text_trainer(AGREEMENT, chosen)
    before = bound_scores(TextModel(untrained.student, AGREEMENT, make_schedule(schedule)), ids_NL, draws=4)
    assert found.excess.value < 0.5 * before.excess.value
    names = {"main", "velocity", "score"} if schedule == "learned" else set()
    assert {name.removeprefix("loss_") for name in rows[-1] if name.startswith("loss_")} == names


def test_what_stands_in_front_is_seen_and_not_a_place() -> None:
    chosen = TextRecipe("masked", updates=1, batch_size=4, width=32, heads=2, begin=True)
    student = text_trainer(AGREEMENT, chosen).student
    model = TextModel(student, AGREEMENT, make_schedule("constant"), text_prompt(AGREEMENT, chosen))
    ids_BL = torch.tensor([[1, 2, 3]])
    found = model.denoiser(ids_BL, ids_BL == 2)
    whole = torch.tensor([[*model.prompt, 1, mask_id(AGREEMENT), 3]])
    with torch.no_grad():
        logits = student.model(input_ids=whole).logits[:, 1:, : AGREEMENT.size]
    torch.testing.assert_close(found, logits.double().log_softmax(-1))


def test_a_killed_run_resumes_to_the_same_bytes(tmp_path: Path) -> None:
    chosen = TextRecipe("order_expressive", {"schedule": "learned"}, 6, 8, width=32, heads=2, save_every=2)

    class Killed(Exception):
        pass

    whole = text_trainer(AGREEMENT, chosen)
    rows = whole.run(lambda row: None)
    killed, updates = text_trainer(AGREEMENT, chosen), iter(range(5))
    update = killed.update
    killed.update = lambda number: update(number) if next(updates, 9) < 4 else (_ for _ in ()).throw(Killed)  # type: ignore[method-assign,return-value]
    with pytest.raises(Killed):
        killed.run(lambda row: None, tmp_path / "state")
    resumed = text_trainer(AGREEMENT, chosen)
    assert resumed.run(lambda row: None, tmp_path / "state") == rows
    ends = [dict(one.student.named_parameters()) for one in (whole, resumed)]
    assert all(torch.equal(value, ends[1][name]) for name, value in ends[0].items())


def test_samples_orders_and_domains_are_measured() -> None:
    model, _ = trained("orders", recipe("order_expressive", 3, schedule="learned"), "learned")
    found = sample_quality(model, 16, 4)
    assert (found.sentences, found.nfe <= 4) == (16, True)
    ids_NL = load(model.world, "validation")[:4]
    measured = order_scores(model, ids_NL)
    assert 0 < measured.entropy <= measured.most + 1e-9
    assert measured.spread >= 1
    away = TextModel(model.student, WORLDS["orders-transitions"], model.schedule)
    assert bound_scores(away, load(away.world, "validation")[:8]).excess.value > 0
    with pytest.raises(ConfigError, match="powers alone"):
        order_scores(TextModel(model.student, model.world, make_schedule("ordered")), ids_NL)


def test_a_plain_model_s_agreement_is_its_own_ceiling_and_a_noisy_one_learns_beyond_it() -> None:
    """The constructive coupling makes one step agree; under the bound alone the noise says nothing.

    Compared with what its own marginals allow: they need not be uniform.
    """
    shape = NoiseShape(width=4)
    coupling = {"coupling": "signs", "words": 2, "width": 4}
    coupled, _ = trained("agreement-2-3", recipe("infinite_mask", 150, noise_rate=4e-3, **coupling))
    alone, _ = trained("agreement-2-3", recipe("infinite_mask", 60, width=4))
    plain = step_agreement(alone, None)
    assert plain.agreement == pytest.approx(plain.ceiling, rel=1e-12)
    assert plain.information == pytest.approx(0, abs=1e-12)
    control = step_agreement(alone, shape)
    assert control.agreement == pytest.approx(control.ceiling, rel=1e-2)
    assert control.information < 1e-3
    found = step_agreement(coupled, shape)
    assert found.agreement > 2 * found.ceiling
    assert found.information > 0.2
    assert found.entropy > 0.9
    noisy, bare = (sample_quality(coupled, 512, 1, shape=one) for one in (shape, None))
    assert noisy.nfe == 1
    assert 1 - noisy.invalid == pytest.approx(found.agreement, abs=0.1), "samples read the noise"
    assert bare.invalid > noisy.invalid + 0.1
    with_noise = bound_scores(
        coupled, AGREEMENT_2.sample(64, torch.Generator().manual_seed(0)), 2, shape=shape
    )
    assert with_noise.excess.value > -4 * with_noise.excess.standard_error


def test_the_same_seed_is_the_same_model_and_distillation_has_its_reference() -> None:
    chosen = recipe("self_distillation", 2, dt=0.25, infinite=False)
    start, base = text_model(AGREEMENT, chosen), text_model(AGREEMENT, chosen)
    first: list[Tensor] = [p.detach().clone() for p in start.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(first, base.parameters(), strict=True))
    trainer = text_trainer(AGREEMENT, chosen, start, base)
    assert trainer.run(lambda row: None)[-1]["loss"] > 0
    assert all(torch.equal(a, b) for a, b in zip(first, base.parameters(), strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(first, start.parameters(), strict=True))


def test_a_run_is_a_checkpoint_that_every_decoder_takes_with_scores(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    order = ["--objective", "order_expressive", "--set", "schedule=learned", "--set", "head_rate=2e-3"]
    assert (
        main(["text", "train", "agreement-2-3", *order, "--updates", "3", "--begin", "--out", str(out)]) == 0
    )
    assert "floor 0.6931, excess" in capsys.readouterr().out
    found = json.loads((out / "scores.json").read_text())
    parts = {"bound", "domains", "samples", "orders", "order_off", "oracle", "one_step", "curve", "language"}
    assert parts | {"world", "length", "words", "parameters", "forwards"} == set(found)
    assert found["forwards"] == {"update": 3, "run": 9}
    assert found["orders"]["most"] == pytest.approx(1.7917595)
    assert set(found["samples"]) == {"1", "2", "4", "8", "16"}
    rows = read_jsonl(out / "log.jsonl")
    assert {"loss_main", "loss_velocity"} <= set(rows[-1])
    assert (out / "checkpoint" / "objective.safetensors").exists()
    model, tokenizer = load_model(out / "checkpoint")
    settings = settings_from("ancestral", {"gen_length": 3, "suppress": "special", "budget": "1/1"})
    [ids] = decode(model, [[tokenizer.bos_token_id]], settings).tokens.tolist()
    assert WORLDS["agreement-2-3"].ids(tokenizer.decode(ids)) == ids
    assert main(["text", "train", "agreement-2-3", "--set", "x=1", "--out", str(tmp_path / "b")]) == 2
    assert "objective 'masked', x" in capsys.readouterr().err


def test_a_run_is_coupled_rectified_and_distilled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """ReDi and a round of SDTT, from the command line, for noisy masks and for the plain model (one mask)."""
    for kind in (["width=4"], ["noise=table", "masks=1"]):
        runs = tmp_path / kind[0]
        noise = [part for one in kind for part in ("--set", one)]
        train = ["text", "train", "agreement-2-3", "--updates", "2", *noise]
        assert main([*train, "--objective", "infinite_mask", "--out", str(runs / "base")]) == 0
        model, chosen = load_text(runs / "base")
        assert chosen.objective == "infinite_mask"
        assert step_agreement(model, NoiseShape(width=4) if "width" in kind[0] else None).agreement > 0
        pairs = runs / "pairs.safetensors"
        assert main(["text", "couple", str(runs / "base"), "--count", "9", "--out", str(pairs)]) == 0
        assert load_couplings(pairs).ids_ML.shape == (9, 3)
        later = [*train, "--from", str(runs / "base")]
        redi = ["--objective", "infinite_mask", "--set", f"coupling={pairs}", "--out", str(runs / "redi")]
        assert main([*later, *redi]) == 0
        noise_from = f"noise_from={runs / 'base' / 'checkpoint' / 'objective.safetensors'}"
        sdtt = ["--objective", "self_distillation", "--set", "dt=0.25", "--set", noise_from]
        assert main([*later, *sdtt, "--out", str(runs / "sdtt")]) == 0
        assert json.loads((runs / "redi" / "scores.json").read_text())["one_step"]["agreement"] > 0
    assert main(["text", "train", "agreement-2-3", "--updates", "1", "--out", str(tmp_path / "p")]) == 0
    plain = ["text", "couple", str(tmp_path / "p"), "--count", "4", "--out", str(tmp_path / "x.safetensors")]
    assert main(plain) == 0
    assert "4 couplings" in capsys.readouterr().out
    with pytest.raises(ArtifactError, match=r"recipe\.json"):
        load_text(tmp_path)
