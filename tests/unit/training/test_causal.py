"""The causal arm: places see what stands before them, and the bound is the likelihood."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from xpflow.errors import ConfigError, ModelLoadError
from xpflow.microtext import WORLDS
from xpflow.microtext.splits import load
from xpflow.microtext.tokenizer import special_ids
from xpflow.models.load import load_model
from xpflow.training.examples import Batch
from xpflow.training.objectives.causal import causal_inputs
from xpflow.training.text_causal import CausalModel, causal_bound, causal_sample
from xpflow.training.text_folder import load_text, train_text
from xpflow.training.text_run import TextRecipe, text_examples, text_prompt, text_trainer
from xpflow.training.text_scores import Measuring

WORLD = WORLDS["orders"]
BEGIN = special_ids(WORLD).bos_token_id


def recipe(updates: int = 1, begin: bool = False) -> TextRecipe:
    return TextRecipe("causal", {}, updates, 8, width=32, heads=2, begin=begin)


@pytest.mark.parametrize("begin", [False, True])
def test_the_likelihood_is_the_sum_of_next_word_losses_each_from_its_own_prefix(begin: bool) -> None:
    student = text_trainer(WORLD, recipe(begin=begin)).student
    model = CausalModel(student, WORLD, text_prompt(WORLD, recipe(begin=begin)))
    ids_NL = load(WORLD, "test")[:4]
    nll_N = torch.zeros(4, dtype=torch.float64)
    for row, ids in enumerate(ids_NL.tolist()):
        for place, word in enumerate(ids):
            read = torch.tensor([[BEGIN, *model.prompt, *ids[:place]]])
            mask = torch.ones(1, 1, read.shape[1], read.shape[1]).tril().bool()
            with torch.no_grad():
                logits = student.model(input_ids=read, attention_mask=mask).logits[0, -1, : WORLD.size]
            nll_N[row] += F.cross_entropy(logits.double()[None], torch.tensor([word]))
    wanted_N = nll_N + WORLD.log_prob(ids_NL)
    found = causal_bound(model, ids_NL)
    assert found.excess.value == pytest.approx(float(wanted_N.mean()), rel=1e-5)
    assert found.excess.standard_error == pytest.approx(float(wanted_N.std()) / 2, rel=1e-4)
    assert (found.main, found.velocity.value) == (found.excess, 0)


def test_a_word_changes_what_is_said_behind_it_and_nothing_before() -> None:
    model = CausalModel(text_trainer(WORLD, recipe()).student, WORLD)
    ids_BL = load(WORLD, "test")[:2]
    other_BL = ids_BL.clone()
    other_BL[:, 7] = (ids_BL[:, 7] + 1) % WORLD.size
    first, second = model.log_p(ids_BL), model.log_p(other_BL)
    torch.testing.assert_close(first[:, :8], second[:, :8])
    assert (first[:, 8:] != second[:, 8:]).any(-1).all()


def test_training_counts_every_word_of_a_response_once() -> None:
    chosen = recipe()
    trainer = text_trainer(WORLD, chosen)
    clean = Batch.of(text_examples(WORLD, chosen, 0), trainer.student.model.config.pad_token_id)
    batch = trainer.objective.corrupt(clean, trainer.student.model, torch.Generator())
    assert torch.equal(batch.inputs["input_ids"][:, 0], torch.full((8,), BEGIN))
    assert torch.equal(batch.inputs["input_ids"][:, 1:16], batch.target_BK[:, :-1])
    with torch.no_grad():
        loss = trainer.measure(batch)["loss"]
        logits = trainer.student.model(**batch.inputs).logits
    wanted = F.cross_entropy(logits.flatten(0, 1), batch.target_BK.flatten())
    torch.testing.assert_close(loss, wanted)
    halves = [
        trainer.measure(batch.take(rows, torch.device("cpu")))["loss"]
        for rows in ([0, 1, 2, 3], [4, 5, 6, 7])
    ]
    torch.testing.assert_close((halves[0] + halves[1]) / 2, loss)


def test_a_causal_run_has_an_exact_score_samples_in_l_steps_and_no_one_step(tmp_path: Path) -> None:
    world = WORLDS["agreement-8-3"]
    chosen = TextRecipe("causal", {}, 60, 32, learning_rate=1e-2, width=32, heads=2, log_every=10)
    measuring = Measuring(samples=64, test=128, curve=6)
    found = train_text(world, chosen, tmp_path, measuring=measuring)
    assert found.bound.excess.value > -4 * found.bound.excess.standard_error, "no model is below the floor"
    assert found.bound.excess.value < 0.3 < found.curve[0].excess.value
    assert found.forwards.update == 1
    assert {steps: one.nfe for steps, one in found.samples.items()} == {3: 3}
    assert found.samples[3].invalid < 0.2
    assert (found.one_step, found.orders, found.order_off, found.oracle) == (None,) * 4
    assert "one_step" not in (tmp_path / "scores.json").read_text()
    with pytest.raises(ConfigError, match="causal"):
        load_text(tmp_path)
    with pytest.raises(ModelLoadError, match="holds a causal model, which reads no masks"):
        load_model(tmp_path / "checkpoint")  # what every decoder does
    masked = TextRecipe("masked", {}, 1, 2, width=32, heads=2)
    train_text(
        world, masked, tmp_path / "on", start=tmp_path, measuring=Measuring(samples=2, test=2, curve=0)
    )
    load_model(tmp_path / "on" / "checkpoint")  # it has seen masks


def test_samples_follow_the_model_s_own_probabilities() -> None:
    model = CausalModel(text_trainer(WORLD, recipe()).student, WORLD)
    found = causal_sample(model, 2000)
    share_V = torch.bincount(found.ids_BL[:, 0], minlength=WORLD.size) / 2000
    wanted_V = model.log_p(found.ids_BL[:1])[0, 0].exp()
    assert ((share_V - wanted_V).abs() < 5 * (wanted_V / 2000).sqrt()).all()
    assert torch.equal(found.ids_BL, causal_sample(model, 2000).ids_BL)


def test_a_model_without_a_begin_token_or_with_blocks_cannot_be_causal() -> None:
    with pytest.raises(ConfigError, match="begin-of-text"):
        causal_inputs(torch.zeros(1, 2, dtype=torch.long), None)
    trainer = text_trainer(WORLD, recipe())
    clean = Batch.of(text_examples(WORLD, recipe(), 0), trainer.student.model.config.pad_token_id)
    trainer.student.model.config.block_length = 4
    with pytest.raises(ConfigError, match="block-causal"):
        trainer.objective.corrupt(clean, trainer.student.model, torch.Generator())
