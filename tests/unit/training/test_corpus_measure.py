"""The perplexity on packed rows, against the mean over all orders of decisions."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
import torch

from xpflow.cli import main
from xpflow.corpora.store import Rows, read_rows, write_rows
from xpflow.errors import DataError
from xpflow.masking.subs import subs_denoiser
from xpflow.models.mdlm import MDLMConfig
from xpflow.models.untrained import new_model
from xpflow.training.corpus_measure import perplexity

MADE = [[0, 3, 1, 5], [0, 2, 2, 5], [0, 4, 3, 5], [0, 1, 4, 5], [0, 3, 3, 5]]


@pytest.fixture
def model() -> Any:
    sizes = {"hidden_dim": 16, "cond_dim": 4, "n_blocks": 1, "n_heads": 2, "model_length": 4}
    return new_model(MDLMConfig(vocab_size=7, mask_token_id=6, initializer_range=0.7, **sizes), 0).eval()


@pytest.fixture
def rows(tmp_path: Path) -> Rows:
    write_rows(tmp_path / "rows", MADE, 4, 6, {"packed": True})
    return read_rows(tmp_path / "rows")


def exact(model: Any) -> float:
    """Nats a token: masked diffusion's bound is the mean over all orders in which places are decided."""
    denoise, total, ids_BL = subs_denoiser(model), 0.0, torch.tensor(MADE)
    orders = list(permutations(range(4)))
    for order in orders:
        for place in range(4):
            open_BL = torch.zeros(len(MADE), 4, dtype=torch.bool)
            open_BL[:, list(order[place:])] = True
            log_p_BV = denoise(ids_BL, open_BL)[:, order[place]]
            total -= float(log_p_BV.gather(-1, ids_BL[:, order[place], None]).sum())
    return total / len(orders) / len(MADE) / 4


def test_it_is_the_mean_over_all_orders(model: Any, rows: Rows) -> None:
    found = perplexity(model, rows, draws=4000, batch=5)
    assert found.nats == pytest.approx(exact(model), rel=0.02)
    assert found.value == pytest.approx(torch.tensor(found.nats).exp().item(), rel=1e-5)
    assert (found.rows, found.forwards) == (5, 20_000)


def test_it_repeats_by_its_seed_and_reads_the_first_rows(model: Any, rows: Rows) -> None:
    assert perplexity(model, rows, 3, seed=1) == perplexity(model, rows, 3, seed=1)
    assert perplexity(model, rows, 3, seed=1) != perplexity(model, rows, 3, seed=2)
    assert perplexity(model, rows, 3).rows == 3


def test_too_few_rows_and_rows_of_many_lengths_are_refused(model: Any, rows: Rows) -> None:
    for bad in (
        Rows(rows.folder, rows.ids_NL[:1], rows.about),
        Rows(rows.folder, rows.ids_NL, {"packed": 0}),
    ):
        with pytest.raises(DataError, match="needs two packed rows"):
            perplexity(model, bad)


def test_the_command_prints_it(
    model: Any,
    rows: Rows,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("xpflow.models.load.load_model", lambda *_: (model, None))
    assert main(["text", "perplexity", "mdlm-owt", str(tmp_path / "rows"), "--seed", "3"]) == 0
    assert f"at most {perplexity(model, rows, seed=3).value:.2f} " in capsys.readouterr().out
