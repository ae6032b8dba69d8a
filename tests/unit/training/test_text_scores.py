"""What scores.json says: exact where it can be, the same bytes in a repetition, killed or not."""

from __future__ import annotations

from itertools import permutations
from math import log
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from xpflow.artifacts.io import read_jsonl
from xpflow.errors import ArtifactError
from xpflow.masking import orders
from xpflow.masking.alpha import PowerWindows, powers
from xpflow.masking.mask_noise import NoiseShape, cell_of
from xpflow.masking.reverse import Sampled
from xpflow.masking.schedule import make_schedule
from xpflow.microtext import WORLDS
from xpflow.microtext.measure import entropy
from xpflow.microtext.splits import load
from xpflow.study.config.text import TextBlock
from xpflow.training.student import Student
from xpflow.training.text_folder import train_text
from xpflow.training.text_measure import TextModel, bound_scores, sample_quality, scored, step_agreement
from xpflow.training.text_oracle import curve_updates, scores
from xpflow.training.text_orders import order_scores, word_correlations
from xpflow.training.text_run import TextRecipe, text_trainer
from xpflow.training.text_scores import Measuring, load_scores
from xpflow.training.trainer import Trainer

AGREEMENT = WORLDS["agreement-8-3"]
SMALL = Measuring(steps=(1, 3), samples=16, test=32, curve=3, curve_test=16)
LEARNED = {"schedule": "learned", "head_rate": 0.02}
FILES = ("scores.json", "log.jsonl", "recipe.json")


def recipe(
    objective: str = "order_expressive", settings: dict[str, Any] = LEARNED, updates: int = 12
) -> TextRecipe:
    return TextRecipe(objective, settings, updates, 8, width=16, heads=2, log_every=2, save_every=4)


def with_orders() -> Student:
    """Return an untrained student whose heads tell places apart: at first they say the same of all."""
    student = text_trainer(AGREEMENT, recipe()).student
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in student.extra.parameters():
            weight += torch.randn(weight.shape, generator=generator)
    return student


class Killed(Exception):
    pass


def killed_at(monkeypatch: pytest.MonkeyPatch, last: int) -> None:
    update = Trainer.update

    def dies(self: Trainer, number: int) -> dict[str, Tensor]:
        if number == last:
            raise Killed
        return update(self, number)

    monkeypatch.setattr(Trainer, "update", dies)


def bytes_of(out: Path) -> list[bytes]:
    return [(out / name).read_bytes() for name in FILES]


def test_a_repetition_has_the_same_bytes_and_so_has_a_run_that_was_killed_between_points_of_the_curve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = recipe()
    found = train_text(AGREEMENT, chosen, tmp_path / "a", measuring=SMALL)
    train_text(AGREEMENT, chosen, tmp_path / "b", measuring=SMALL)
    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")
    assert load_scores(tmp_path / "a" / "scores.json") == found
    assert [(point.update, point.forwards) for point in found.curve] == [(4, 12), (8, 24), (12, 36)]
    logged = {
        row["update"]: row["excess"] for row in read_jsonl(tmp_path / "a" / "log.jsonl") if "excess" in row
    }
    assert logged == {point.update: point.excess.value for point in found.curve}
    with monkeypatch.context() as patched:
        killed_at(patched, 9)
        with pytest.raises(Killed):
            train_text(AGREEMENT, chosen, tmp_path / "c", measuring=SMALL)
    assert not (tmp_path / "c" / "scores.json").exists()
    with pytest.raises(ArtifactError, match="curve"):
        train_text(AGREEMENT, chosen, tmp_path / "c", measuring=Measuring(curve=2))
    train_text(AGREEMENT, chosen, tmp_path / "c", measuring=SMALL)
    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "c")


def test_the_curve_ends_with_the_run_and_has_points_at_rows_of_the_log() -> None:
    long = TextRecipe(updates=1200, log_every=50)
    assert curve_updates(long, 4) == (300, 600, 900, 1200)
    assert curve_updates(long, 0) == ()
    assert curve_updates(TextRecipe(updates=70, log_every=50), 4) == (50, 70)


def test_a_learned_schedule_is_measured_with_itself_without_it_and_with_an_exact_denoiser() -> None:
    chosen, student = recipe(), with_orders()
    measuring = Measuring(steps=(2,), samples=32, test=512, curve=0)
    found = scores(student, AGREEMENT, chosen, measuring)
    assert found.order_off is not None
    assert found.oracle is not None
    ids_NL = load(AGREEMENT, "test")[:512]
    plain = TextModel(student, AGREEMENT, make_schedule("constant"))
    assert found.order_off.bound == bound_scores(plain, ids_NL)
    assert found.order_off.bound.velocity.value == 0
    assert found.bound.velocity.value > 5 * found.bound.velocity.standard_error
    assert found.order_off.samples == {2: sample_quality(plain, 32, 2)}
    assert found.oracle.velocity == found.bound.velocity
    assert abs(found.oracle.main.value) < 4 * found.oracle.main.standard_error
    assert found.oracle.excess.value == pytest.approx(found.oracle.main.value + found.oracle.velocity.value)
    modules = (student.model, *student.extra.values())
    assert found.parameters == sum(p.numel() for module in modules for p in module.parameters())
    assert found.curve == ()


def test_the_first_place_s_probability_is_that_of_all_orders_that_begin_with_it() -> None:
    """Of words that differ: no model without absolute places can tell those of a repeated word apart."""
    model = TextModel(with_orders(), AGREEMENT, make_schedule("learned"))
    ids_NL = torch.randint(8, (8, 3), generator=torch.Generator().manual_seed(0))
    found, alpha = order_scores(model, ids_NL), model.forward(ids_NL)
    assert isinstance(alpha, PowerWindows)
    power_NL = alpha.power_BL
    starts = [(0, *rest) for rest in permutations((1, 2))]
    exact_N = sum(orders.log_prob(power_NL, torch.tensor(order).expand(8, -1)).exp() for order in starts)
    assert found.first.value == pytest.approx(float(torch.as_tensor(exact_N).mean()))
    assert found.first.value != pytest.approx(1 / 3, abs=1e-2)
    assert found.powers == pytest.approx(power_NL.mean(0).tolist())
    assert found.examples[1].words == tuple(AGREEMENT.words[i] for i in ids_NL[1].tolist())
    assert found.examples[1].powers == pytest.approx(power_NL[1].tolist())
    assert len(found.examples) == 4


class ByPlace(TextModel):
    """A model whose probability of the true word rises with the number of the place."""

    def denoiser(self, ids_BL: Tensor, open_BL: Tensor) -> Tensor:
        p_BL = (torch.arange(ids_BL.shape[1]).double() + 1).expand(ids_BL.shape) / (ids_BL.shape[1] + 1)
        other = (1 - p_BL) / (self.world.size - 1)
        found_BLV = other[..., None].expand(*ids_BL.shape, self.world.size).clone()
        return found_BLV.scatter(-1, ids_BL[..., None], p_BL[..., None]).log()


def test_powers_go_with_the_true_word_s_probability_within_a_state_and_time_does_not_count() -> None:
    world = WORLDS["orders"]
    model = ByPlace(text_trainer(world, recipe()).student, world, make_schedule("constant"))
    ids_NL = load(world, "test")[:64]
    rising_NL = torch.arange(1, 17).double().expand(64, -1) / 8
    for power_NL, wanted in ((rising_NL, 1.0), (rising_NL.flip(-1), -1.0)):
        over, within = word_correlations(model, ids_NL, powers(power_NL))
        assert within == pytest.approx(wanted)
        assert over is not None
        assert 0 < over * wanted < 1
    assert word_correlations(model, ids_NL, powers(torch.ones(64, 16)))[1] is None


class Cells(TextModel):
    """A model that says the word whose cell the noise is in, of a table's masks the first place's number."""

    shape = NoiseShape("table", masks=8)

    def noisy_denoiser(self, ids_BL: Tensor, open_BL: Tensor, noise_BLW: Tensor) -> Tensor:
        table = self.shape.kind == "table"
        word_B = noise_BLW[:, 0, 0].long() if table else cell_of(noise_BLW, self.world.size)
        one_BV = torch.nn.functional.one_hot(word_B, self.world.size).double()
        return one_BV.log()[:, None].expand(-1, ids_BL.shape[1], -1)


def test_noise_that_says_the_word_has_log_v_nats_of_it_and_a_plain_model_none() -> None:
    student = text_trainer(AGREEMENT, recipe("masked", {})).student
    cells, constant = Cells(student, AGREEMENT, make_schedule("constant")), make_schedule("constant")
    found = step_agreement(cells, Cells.shape, draws=512)
    assert found.information == pytest.approx(log(8), rel=1e-12), "all 512 ways to fill a sentence"
    assert (found.agreement, found.standard_error) == (pytest.approx(1, rel=1e-12), 0)
    assert found.ceiling == pytest.approx(8**-2)
    drawn = step_agreement(cells, Cells.shape, draws=256)
    assert log(8) - 0.1 < drawn.information < log(8), "drawn, where there are too many"
    cells.shape = NoiseShape("uniform", 3)
    assert log(8) - 0.1 < step_agreement(cells, cells.shape).information < log(8)
    assert step_agreement(TextModel(student, AGREEMENT, constant), None).information == pytest.approx(
        0, abs=1e-12
    )


def test_sentences_of_the_language_lie_at_its_entropy() -> None:
    world = WORLDS["english"]
    ids_BL = world.sample(512, torch.Generator().manual_seed(1))
    found = scored(world, Sampled(ids_BL, torch.full((512,), 3)), entropy(world, 2048))
    assert found.excess is not None
    assert abs(found.excess.value) < 4 * found.excess.standard_error
    assert (found.invalid, found.nfe) == (0, 3)
    nonsense = scored(world, Sampled(ids_BL.flip(-1), torch.full((512,), 3)), entropy(world, 64))
    assert (nonsense.invalid, nonsense.excess) == (1, None)


def test_what_is_measured_by_default_is_what_a_study_measures_by_default() -> None:
    block, own = TextBlock(), Measuring()
    names = ("steps", "samples", "test", "draws", "curve")
    assert {name: getattr(own, name) for name in names} == {name: getattr(block, name) for name in names}


def test_a_file_that_holds_no_scores_says_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "scores.json").write_text('{"world": "orders"}')
    with pytest.raises(ArtifactError, match="length"):
        load_scores(tmp_path / "scores.json")
