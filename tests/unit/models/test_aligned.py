"""Weights say in their config.json whether and how they were aligned; nothing is computed from it."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from xpflow.models.aligned import (
    aligned_models,
    alignment,
    alignment_of,
    reads_embeddings,
    weights_sha256,
)
from xpflow.models.checkpoint import load_checkpoint, read_config, save_checkpoint
from xpflow.models.keys import ALIGNMENT
from xpflow.models.registry import MICRO_NAMES, MODELS, ModelEntry, model_folder

MICRO = model_folder("llada-micro")


@pytest.fixture
def aligned(tmp_path: Path) -> Path:
    said = alignment("x_prediction", "paper", 40, MICRO, everywhere=True)
    save_checkpoint(load_checkpoint(MICRO), None, tmp_path / "aligned", alignment=said)
    return tmp_path / "aligned"


def test_weights_say_how_they_were_aligned_and_after_what(aligned: Path) -> None:
    base = sha256((MICRO / "model.safetensors").read_bytes()).hexdigest()
    first = {"objective": "x_prediction", "run": "paper", "updates": 40, "base": base, "everywhere": True}
    assert alignment_of(aligned) == first
    again = alignment("masked", "second", 10, aligned, everywhere=False)
    assert again["after"] == first
    assert again["base"] == weights_sha256(aligned)


def test_what_they_say_changes_no_model_and_is_not_inherited(aligned: Path, tmp_path: Path) -> None:
    assert read_config(aligned).to_dict() == {**read_config(MICRO).to_dict()}
    model = load_checkpoint(aligned)
    setattr(model.config, ALIGNMENT, {"objective": "other"})  # as another library reads it
    save_checkpoint(model, None, tmp_path / "next")
    assert alignment_of(tmp_path / "next") is None
    assert (tmp_path / "next" / "model.safetensors").read_bytes() == (
        aligned / "model.safetensors"
    ).read_bytes()


def test_weights_without_a_word_and_no_weights_say_nothing(tmp_path: Path) -> None:
    assert alignment_of(MICRO) is None
    assert alignment_of(tmp_path) is None
    (tmp_path / "config.json").write_text(json.dumps({ALIGNMENT: "yes"}))
    assert alignment_of(tmp_path) is None


@pytest.mark.parametrize(
    ("said", "reads"),
    [
        (None, False),
        ({}, False),
        ({"objective": "x_prediction"}, True),  # of a version that did not note it
        ({"objective": "x_prediction", "everywhere": True}, True),
        ({"objective": "forced", "everywhere": False}, False),
        ({"objective": "forced", "everywhere": False, "after": {"objective": "x_prediction"}}, True),
        ({"objective": "forced", "everywhere": False, "after": {"everywhere": False}}, False),
    ],
)
def test_weights_that_learned_at_masks_alone_read_no_embeddings(said: Any, reads: bool) -> None:
    assert reads_embeddings(said) is reads


def test_shards_have_one_hash(tmp_path: Path) -> None:
    save_checkpoint(load_checkpoint(MICRO), None, tmp_path / "shards", max_shard_bytes=1_000_000)
    assert len(weights_sha256(tmp_path / "shards")) == 64
    assert weights_sha256(tmp_path / "shards") != weights_sha256(MICRO)


def test_aligned_models_that_ship_are_found_by_what_they_say(aligned: Path, monkeypatch) -> None:
    for name in MICRO_NAMES:
        assert f"{name}-aligned" in aligned_models(name)
        for found in aligned_models(name):
            said = alignment_of(model_folder(found))
            assert said is not None
            assert said["base"] == weights_sha256(model_folder(name))
            assert MODELS[found].base == name
        assert alignment_of(model_folder(name)) is None
    monkeypatch.setattr("xpflow.models.registry.SHIPPED", aligned.parent)
    entries = {"aligned": ModelEntry("aligned", "", "llada")}
    monkeypatch.setattr("xpflow.models.aligned.MODELS", entries)
    assert aligned_models(MICRO) == ["aligned"]
    assert aligned_models(MICRO.parent / "nowhere") == []
