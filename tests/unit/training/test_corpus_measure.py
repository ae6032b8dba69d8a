"""The perplexity on packed rows, against the mean over all orders of decisions."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from xpflow.cli import main
from xpflow.corpora.store import Rows, read_rows, require_fit, write_rows
from xpflow.errors import DataError
from xpflow.masking.subs import subs_denoiser
from xpflow.models.mdlm import MDLMConfig
from xpflow.models.untrained import new_model
from xpflow.training import corpus_measure
from xpflow.training.corpus_measure import perplexity
from xpflow.training.finite import TrainingError

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
    monkeypatch.setattr("xpflow.models.load.load_model", lambda *_: (model, Words()))
    assert main(["text", "perplexity", "mdlm-owt", str(tmp_path / "rows"), "--seed", "3"]) == 0
    assert f"at most {perplexity(model, rows, seed=3).value:.2f} " in capsys.readouterr().out


class Words:
    """A tokenizer, as far as it is asked which words it has."""

    def __init__(self, words: int = 6, begin: int = 0) -> None:
        self.words, self.bos_token_id, self.eos_token_id = words, begin, 5

    def __len__(self) -> int:
        return self.words


@pytest.mark.parametrize("tokenizer", [Words(9), Words(begin=1)])
def test_rows_of_another_tokenizer_have_no_perplexity(model: Any, tokenizer: Words, tmp_path: Path) -> None:
    write_rows(tmp_path / "r", MADE, 4, 6, {"packed": True, "tokenizer": "gpt2", "begin": 0, "end": 5})
    require_fit(read_rows(tmp_path / "r"), model, Words())
    require_fit(read_rows(tmp_path / "r"), model, Words(7))  # the mask is one of its words
    with pytest.raises(DataError, match="was packed by gpt2 of 6 words"):
        require_fit(read_rows(tmp_path / "r"), model, tokenizer)


def test_rows_longer_than_the_model_have_none(model: Any, tmp_path: Path) -> None:
    write_rows(tmp_path / "r", [[0, 1, 2, 3, 5]], 5, 6, {"packed": True})
    with pytest.raises(DataError, match="rows of 5 tokens, and the model 4 places"):
        require_fit(read_rows(tmp_path / "r"), model, Words())


@pytest.mark.parametrize(
    ("about", "says"),
    [("{", "not JSON"), ("[]", "lacks one of"), ('{"rows": 5, "length": 4}', "lacks one of"), (None, "hash")],
)
def test_rows_are_what_was_packed(rows: Rows, about: str | None, says: str) -> None:
    if about is None:
        data = bytearray((rows.folder / "tokens.bin").read_bytes())
        data[2] ^= 1
        (rows.folder / "tokens.bin").write_bytes(data)
    else:
        (rows.folder / "corpus.json").write_text(about)
    with pytest.raises(DataError, match=says):
        read_rows(rows.folder, whole=True)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 3e3])
def test_a_bound_that_is_no_number_is_no_perplexity(
    model: Any, rows: Rows, value: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = SimpleNamespace(total_B=torch.full((5,), 4 * value), velocity_B=torch.zeros(5))
    monkeypatch.setattr(corpus_measure, "draw_bound", lambda *_: SimpleNamespace(parts=parts))
    with pytest.raises(TrainingError, match="that is no perplexity"):
        perplexity(model, rows, batch=5)
