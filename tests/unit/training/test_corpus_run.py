"""Training a diffusion transformer on a packed corpus: the rows it sees, and where it refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from xpflow.corpora.store import Rows, read_rows, write_rows
from xpflow.errors import ConfigError
from xpflow.models.mdlm import MDLMConfig
from xpflow.models.untrained import new_model
from xpflow.training.corpus_run import corpus_examples, corpus_trainer
from xpflow.training.text_run import TextRecipe

RECIPE = TextRecipe(
    "order_expressive",
    {"schedule": "learned", "head_rate": 2e-3},
    updates=60,
    batch_size=8,
    warmup_updates=5,
    log_every=20,
)


@pytest.fixture
def rows(tmp_path: Path) -> Rows:
    """Rows that count upwards from a number of their own: begin 20, end 21, mask 22."""
    made = [[20, *((start + step) % 20 for step in range(14)), 21] for start in range(20)]
    write_rows(tmp_path / "rows", made, 16, 22, {"packed": True})
    return read_rows(tmp_path / "rows")


def model(**changes: Any) -> Any:
    fields = {"vocab_size": 23, "model_length": 16, "hidden_dim": 32, "cond_dim": 8, "n_blocks": 2}
    special = {"mask_token_id": 22, "eos_token_id": 21, "pad_token_id": 21, "bos_token_id": 20}
    return new_model(MDLMConfig(**{**fields, **special, "n_heads": 2, **changes}), 0)


def test_a_run_learns_its_rows_and_goes_on_where_it_was(rows: Rows, tmp_path: Path) -> None:
    whole = corpus_trainer(rows, RECIPE, model())
    log = whole.run(lambda row: None, tmp_path / "whole.pt")
    assert log[-1]["loss"] < 0.9 * log[0]["loss"]
    half = corpus_trainer(rows, replace(RECIPE, save_every=25), model())

    class Killed(Exception):
        pass

    def stop(row: dict[str, Any]) -> None:
        if row["update"] >= 40:
            raise Killed

    with pytest.raises(Killed):
        half.run(stop, tmp_path / "half.pt")
    again = corpus_trainer(rows, replace(RECIPE, save_every=25), model())
    again.run(lambda row: None, tmp_path / "half.pt")
    for (name, one), (_, other) in zip(
        whole.student.state_dict().items(), again.student.state_dict().items(), strict=True
    ):
        assert torch.equal(one, other), name


def test_an_epoch_has_every_row_once(rows: Rows) -> None:
    seen = [example.response for update in range(5) for example in corpus_examples(rows, RECIPE, update)]
    assert sorted(seen[:20]) == sorted(rows.row(number) for number in range(20))
    assert all(example.prompt == () for example in corpus_examples(rows, RECIPE, 0))


@pytest.mark.parametrize("changes", [{"vocab_size": 21, "mask_token_id": 20}, {"model_length": 15}])
def test_a_model_that_does_not_fit_the_rows_is_refused(rows: Rows, changes: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="has rows of 16 tokens of 22 words"):
        corpus_trainer(rows, RECIPE, model(**changes))


def test_rows_of_many_lengths_are_refused(rows: Rows) -> None:
    loose = Rows(rows.folder, rows.ids_NL, {**rows.about, "packed": False})
    with pytest.raises(ConfigError, match="rows of many lengths"):
        corpus_trainer(loose, RECIPE, model())
