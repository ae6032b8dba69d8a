"""Pre-training: a run that is interrupted anywhere and resumed gives the bytes of an uninterrupted one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedTokenizerBase

from xpflow.errors import ArtifactError, ConfigError
from xpflow.study.config.root import StudyConfig
from xpflow.training.card import write_card
from xpflow.training.pretrain import Recipe, Trainer, learning_rate_factor, new_micro_model
from xpflow.training.pretrain_run import _rows_until, recipe_for

RECIPE = Recipe(steps=4, batch_size=4, warmup_steps=1, log_every=1, checkpoint_every=1, autocast=False)


class Killed(Exception):
    """The run ends here."""


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xpflow.training.corpus.CHUNK", 8)


def train(
    model: Any, tokenizer: PreTrainedTokenizerBase, state: Path, end: int | None = None
) -> list[dict[str, Any]]:
    """Train, resuming from `state` if it is there, until just before step `end` is saved."""
    trainer, rows = Trainer(model, tokenizer, RECIPE), []
    if state.exists():
        trainer.load(state)

    def report(row: dict[str, Any]) -> None:
        rows.append({key: row[key] for key in ("step", "loss", "lr_factor")})
        if row["step"] == end:
            raise Killed

    trainer.run(report, state)
    return rows


@pytest.mark.parametrize("name", ["llada-micro", "llada2-micro"])
def test_a_resumed_run_has_the_weights_and_log_of_an_uninterrupted_one(
    name: str, make_model: Callable[..., Any], tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    whole = make_model(name)
    rows = train(whole, tokenizer, tmp_path / "whole")
    for end in (1, 2, 4):
        with pytest.raises(Killed):
            train(make_model(name), tokenizer, tmp_path / f"{end}", end)
        resumed = make_model(name, seed=9)
        if end == 1:
            resumed = make_model(name)  # killed before anything was saved: it starts anew
        assert train(resumed, tokenizer, tmp_path / f"{end}") == rows[end - 1 :]
        for key, value in whole.state_dict().items():
            assert torch.equal(value, resumed.state_dict()[key]), (end, key)


def test_a_state_of_another_recipe_or_a_broken_one_is_refused(
    make_model: Callable[..., Any], tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    state = tmp_path / "state.pt"
    Trainer(make_model("llada-micro"), tokenizer, RECIPE).save(state)
    other = Trainer(make_model("llada-micro"), tokenizer, Recipe(steps=9))
    with pytest.raises(ArtifactError, match="another recipe"):
        other.load(state)
    state.write_bytes(state.read_bytes()[:100])
    with pytest.raises(ArtifactError, match="no training state"):
        other.load(state)


def test_half_a_line_at_the_end_of_a_log_is_dropped(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text('{"step": 1}\n{"step": 2}\n{"step": 3}\n{"st')
    assert [row["step"] for row in _rows_until(log, 2)] == [1, 2]
    assert _rows_until(tmp_path / "absent", 2) == []


def test_the_learning_rate_warms_up_stays_and_decays_to_zero() -> None:
    recipe = Recipe(steps=100, warmup_steps=10, decay_share=0.4)
    factors = [learning_rate_factor(step, recipe) for step in range(101)]
    assert factors[0] == pytest.approx(0.1)
    assert factors[9:61] == [1.0] * 52
    assert factors[80] == pytest.approx(0.5)
    assert factors[100] == 0.0


def test_unknown_models_are_errors_that_name_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'llada-micro'"):
        recipe_for("lada-micro", StudyConfig())
    with pytest.raises(ConfigError, match="no micro model"):
        new_micro_model("llada3-micro", 0)
    assert recipe_for("llada2-micro", StudyConfig()).steps == StudyConfig().pretrain.steps["llada2-micro"]


def test_the_card_tells_counts_intervals_recipe_and_hash(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    write_card(tmp_path, "tiny", RECIPE, [{"step": 1, "loss": 0.5}], {"micropy-he": (80, 100)})
    card = (tmp_path / "MODEL_CARD.md").read_text()
    assert "80/100 = 80.0 % | 71.1 to 86.7 %" in card
    assert json.dumps(RECIPE.steps) in card
