"""Pre-training: a run that is interrupted anywhere and resumed gives the bytes of an uninterrupted one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedTokenizerBase

from xpflow.decoding.decoders import DECODERS
from xpflow.errors import ArtifactError, ConfigError, ModelLoadError, SandboxUnavailable
from xpflow.models.registry import model_folder
from xpflow.models.untrained import SpecialIds, micro_config, new_model
from xpflow.study.config import load_study, study_from_mapping
from xpflow.study.config.root import StudyConfig
from xpflow.training import pretrain_check
from xpflow.training.corpus import Corpus
from xpflow.training.pretrain import Recipe, new_micro_model, pretrainer, write_card
from xpflow.training.pretrain_check import check_pretrain
from xpflow.training.trainer import Course, Row

RECIPE = Recipe(steps=4, batch_size=4, warmup_steps=1, log_every=1, checkpoint_every=1, autocast=False)


class Killed(Exception):
    """The run ends here."""


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xpflow.training.corpus.CHUNK", 8)


def train(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    state: Path,
    end: int | None = None,
    recipe: Recipe = RECIPE,
) -> list[Row]:
    """Train, resuming from `state` if it is there, until the row of update `end` is logged."""

    def report(row: Row) -> None:
        if row["update"] == end:
            raise Killed

    return pretrainer(model, tokenizer, recipe).run(report, state)


@pytest.mark.parametrize("name", ["llada-micro", "llada2-micro"])
def test_a_resumed_run_has_the_weights_and_log_of_an_uninterrupted_one(
    name: str, make_model: Callable[..., Any], tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    recipe = replace(RECIPE, log_every=3, checkpoint_every=2, steps=7)
    whole = make_model(name)
    rows = train(whole, tokenizer, tmp_path / "whole", recipe=recipe)
    assert [row["update"] for row in rows] == [3, 6, 7]
    for end in (3, 6, 7):  # the first sums of a row were saved in the middle of it
        with pytest.raises(Killed):
            train(make_model(name), tokenizer, tmp_path / f"{end}", end, recipe)
        resumed = make_model(name, seed=9)
        assert train(resumed, tokenizer, tmp_path / f"{end}", recipe=recipe) == rows
        for key, value in whole.state_dict().items():
            assert torch.equal(value, resumed.state_dict()[key]), (end, key)


def test_a_state_of_another_recipe_or_a_broken_one_is_refused(
    make_model: Callable[..., Any], tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    state = tmp_path / "state.pt"
    train(make_model("llada-micro"), tokenizer, state)
    with pytest.raises(ArtifactError, match="state of another training"):
        train(make_model("llada-micro"), tokenizer, state, recipe=replace(RECIPE, steps=9))
    state.write_bytes(state.read_bytes()[:100])
    with pytest.raises(ArtifactError, match="no training state"):
        train(make_model("llada-micro"), tokenizer, state)


def test_the_learning_rate_warms_up_stays_and_decays_to_zero() -> None:
    course = Course(updates=100, warmup_updates=10, decay_share=0.4)
    factors = [course.rate(update) for update in range(101)]
    assert factors[0] == pytest.approx(0.1)
    assert factors[9:61] == [1.0] * 52
    assert factors[80] == pytest.approx(0.5)
    assert factors[100] == 0.0


def test_unknown_models_are_errors_that_name_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'llada-micro'"):
        Recipe.of("lada-micro", StudyConfig())
    with pytest.raises(ConfigError, match="no micro model"):
        new_micro_model("llada3-micro", 0)
    assert Recipe.of("llada2-micro", StudyConfig()).steps == StudyConfig().pretrain.steps["llada2-micro"]


def test_a_run_learns_the_world_that_its_recipe_names(
    make_model: Callable[..., Any], tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    recipe = replace(RECIPE, world="micropy-l", response_length=200)
    corpus = Corpus(tokenizer, 200, world="micropy-l")
    assert corpus.examples(0, 4) != Corpus(tokenizer, 200).examples(0, 4)
    rows = train(make_model("llada-micro"), tokenizer, tmp_path / "state", recipe=recipe)
    assert [row["update"] for row in rows] == [1, 2, 3, 4]
    with pytest.raises(ArtifactError, match="state of another training"):
        train(
            make_model("llada-micro"), tokenizer, tmp_path / "state", recipe=replace(recipe, world="micropy")
        )


def test_the_recipe_of_micropy_l_is_in_its_configuration() -> None:
    study = load_study(Path(__file__).parents[3] / "config" / "pretrain-l.yaml")
    recipe = Recipe.of("llada-micro-l", study)
    assert (recipe.world, recipe.response_length) == ("micropy-l", 96)
    config = micro_config("llada-micro-l", 1024, SpecialIds(2, 1, 1))
    assert sum(p.numel() for p in new_model(config, 0).parameters()) * 4 <= 10e6
    with pytest.raises(ModelLoadError, match="neither a known model"):
        model_folder("llada-micro-l")


def test_the_card_tells_counts_intervals_recipe_and_hash(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    write_card(
        tmp_path,
        "tiny",
        RECIPE,
        [{"update": 1, "loss": 0.5}],
        {"micropy-he": (80, 100)},
        next(iter(DECODERS)),
    )
    card = (tmp_path / "MODEL_CARD.md").read_text()
    assert "80/100 = 80.0 % | 71.1 to 86.7 %" in card
    assert json.dumps(RECIPE.steps) in card


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("steps", {"llada-micro": 0}),
        ("learning_rate", {"llada-micro": -1e-3}),
        ("embedding_learning_rate", {"llada-micro": 0.0}),
        ("decay_share", {"llada-micro": 1.5}),
        ("batch_size", 5000),
    ],
)
def test_numbers_of_a_recipe_are_in_their_range(key: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"pretrain.{key}"):
        study_from_mapping({"pretrain": {key: value}}, source="s.yaml")


@pytest.mark.parametrize(
    ("block", "told"),
    [
        ({"benchmarks": ["micropy-hee"]}, r"pretrain.benchmarks\[micropy-hee\].*did you mean"),
        ({"benchmarks": ["micropy-personas"]}, "has no split 'validation'"),
        ({"decoder": "mask_predicton"}, "pretrain.decoder"),
        ({"world": "micropi"}, "pretrain.world"),
        ({"objective": "maskd"}, "pretrain.objective"),
    ],
)
def test_what_the_card_needs_is_asked_before_the_first_step(block: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=f"(?s){told}"):
        check_pretrain(study_from_mapping({"pretrain": block}, source="s.yaml"), "s.yaml")


def test_a_jail_that_does_not_work_is_found_before_the_first_step(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str | None) -> None:
        raise SandboxUnavailable("no namespaces")

    monkeypatch.setattr(pretrain_check, "choose_jail", broken)
    study = study_from_mapping({"pretrain": {"benchmarks": ["micropy-he"]}}, source="s.yaml")
    check_pretrain(study, "s.yaml")  # on this machine nothing is run yet
    with pytest.raises(ConfigError, match="no namespaces"):
        check_pretrain(study, "s.yaml", at_work=True)
    reports = study_from_mapping({"pretrain": {"benchmarks": ["microsum"]}}, source="s.yaml")
    check_pretrain(reports, "s.yaml", at_work=True)  # summaries need no jail


def test_answers_that_are_all_too_long_are_an_error_and_no_endless_search(
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    with pytest.raises(ConfigError, match="answers of micropy fit 1 tokens"):
        Corpus(tokenizer, 1).examples(0, 4)
