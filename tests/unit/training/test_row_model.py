"""Models of packed rows: SUBS, the bound of a learned order against all orders, texts, couplings."""

from __future__ import annotations

from itertools import permutations
from typing import Any, cast

import pytest
import torch

from xpflow.corpora.store import Rows, read_rows, write_rows
from xpflow.masking import orders
from xpflow.masking.mask_noise import NoiseShape
from xpflow.masking.subs import subs_denoiser
from xpflow.models.mdlm import MDLMConfig
from xpflow.models.untrained import new_model
from xpflow.runtime.machine import Machine
from xpflow.training.corpus_folder import couple_rows, sampled_rows
from xpflow.training.corpus_measure import orders_on, perplexity, rows_perplexity
from xpflow.training.objective import make_loss
from xpflow.training.row_model import RowModel, TrainedRows
from xpflow.training.text_run import TextRecipe, schedule_of
from xpflow.training.trainer import prepared

KINDS = [[0, 3, 1], [2, 2, 0], [4, 1, 3], [3, 0, 4]]
SPREAD = 0.5


class Letters:
    """Stands for a tokenizer: a letter for each id."""

    def decode(self, ids: list[int]) -> str:
        return "".join("abcdef"[number] for number in ids)


def trained(objective: str, **settings: Any) -> TrainedRows:
    """A model of rows of three places, whose heads or noise are drawn far from zero."""
    sizes = {"hidden_dim": 16, "cond_dim": 4, "n_blocks": 1, "n_heads": 2, "model_length": 3}
    special = {"mask_token_id": 5, "eos_token_id": 0, "pad_token_id": 0}
    network = new_model(MDLMConfig(vocab_size=6, initializer_range=0.4, **sizes, **special), 0)
    recipe = TextRecipe(objective, settings)
    student, _ = prepared(network, make_loss(objective, settings), Machine(), 0)
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in student.extra.parameters():
            weight.add_(SPREAD * torch.randn(weight.shape, generator=draw))
    student.eval()
    shape = NoiseShape(width=settings["width"]) if "noise" in student.extra else None
    model = RowModel(student, schedule_of(recipe), rows=4000)
    return TrainedRows(model, cast(Any, Letters()), recipe, 3, shape)


@pytest.fixture(scope="module")
def learned() -> TrainedRows:
    return trained("order_expressive", schedule="learned", width=8, form="wide")


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    folder = tmp_path_factory.mktemp("rows")
    write_rows(folder, KINDS * 1000, 3, 5, {"packed": True})
    return read_rows(folder)


def over_orders(model: RowModel) -> float:
    """L_main in nats a token: the mean over Plackett-Luce orders with the powers of the model's head."""
    ids_BL = torch.tensor(KINDS)
    power_BL = model.forward(ids_BL).power_BL  # type: ignore[attr-defined]
    total_B = torch.zeros(len(KINDS), dtype=torch.float64)
    for order in permutations(range(3)):
        chance_B = orders.log_prob(power_BL, torch.tensor([order] * len(KINDS))).exp()
        for place in range(3):
            open_BL = torch.zeros(ids_BL.shape, dtype=torch.bool)
            open_BL[:, list(order[place:])] = True
            log_p_BV = model.denoiser(ids_BL, open_BL)[:, order[place]]
            total_B -= chance_B * log_p_BV.gather(-1, ids_BL[:, order[place], None])[:, 0]
    return float(total_B.mean()) / 3


def test_the_bound_of_a_learned_order_is_the_mean_over_its_orders_and_what_it_costs(
    learned: TrainedRows, rows: Rows
) -> None:
    found = rows_perplexity(learned, rows)
    main = found.nats - found.velocity
    assert main == pytest.approx(over_orders(learned.model), abs=3 * found.standard_error)
    assert found.standard_error < 0.06
    assert found.velocity > 0.1, "the heads say other powers"
    looked = orders_on(learned, rows)
    assert looked is not None
    assert looked.spread > 1.05
    assert 0 < looked.entropy < looked.most


def test_without_its_order_it_is_masked_diffusion(learned: TrainedRows, rows: Rows) -> None:
    off = rows_perplexity(learned, rows, 40, off=True)
    plain = perplexity(learned.model.student.model, rows, 40, batch=4000)
    assert off.nats == pytest.approx(plain.nats, rel=1e-9)
    assert off.velocity == 0
    assert off.nats != pytest.approx(rows_perplexity(learned, rows, 40).nats, rel=1e-3)
    assert orders_on(trained("order_expressive"), rows) is None


def test_probabilities_are_those_of_subs(learned: TrainedRows) -> None:
    ids_BL, open_BL = torch.tensor(KINDS), torch.tensor([[True, False, True]] * 4)
    own_BLV = learned.model.denoiser(ids_BL, open_BL)
    torch.testing.assert_close(own_BLV, subs_denoiser(learned.model.student.model)(ids_BL, open_BL))
    assert own_BLV.dtype == torch.float64
    assert bool((own_BLV[..., 5] == -torch.inf).all())


def test_noise_of_masks_enters_bound_texts_and_couplings(rows: Rows) -> None:
    noisy = trained("infinite_mask", width=4)
    plain = perplexity(noisy.model.student.model, rows, 200, batch=4000)
    assert rows_perplexity(noisy, rows, 200).nats != pytest.approx(plain.nats, rel=1e-3)
    small = TrainedRows(RowModel(noisy.model.student, noisy.model.schedule, rows=3), *_rest(noisy))
    texts = sampled_rows(small, 7, steps=2, seed=3)
    assert texts == sampled_rows(small, 7, steps=2, seed=3)
    assert len(texts) == 7
    assert all(row["nfe"] <= 2 and 5 not in row["ids"] and len(row["text"]) == 3 for row in texts)
    pairs = couple_rows(small, 7, steps=8)
    assert pairs.ids_ML.shape == (7, 3)
    assert len(set(pairs.seed_M.tolist())) == 7, "parts have noise of their own"


def test_texts_of_a_learned_order_are_others_without_it(learned: TrainedRows) -> None:
    own, off = (sampled_rows(learned, 20, steps=3, off=off) for off in (False, True))
    assert own != off
    assert max(row["nfe"] for row in own) <= 3


def _rest(one: TrainedRows) -> tuple[Any, ...]:
    return one.tokenizer, one.recipe, one.length, one.shape
