"""Tiny checkpoints are the published ones in everything but size."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import pytest
import torch

from xpflow.models.load import load_model
from xpflow.models.untrained import tiny_models, write_tiny_model
from xpflow.problems.micropy.dataset import training_pairs

NAMES = {kind.name: name for name, kind in tiny_models().items()}.values()  # one of each architecture


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("tiny")
    for name in NAMES:
        write_tiny_model(name, found / name, islice(training_pairs(0), 2000))
    return found


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("llada-8b-instruct", 126464),
        ("llada2.0-mini", 157184),
        ("mdlm-owt", 50258),
        ("dream-coder-7b-instruct", 152064),
    ],
)
def test_ids_and_vocabulary_are_the_published_ones(folder: Path, name: str, rows: int) -> None:
    model, tokenizer = load_model(folder / name)
    assert model.get_input_embeddings().weight.shape[0] == rows
    for word, number in tiny_models()[name].tiny.special_ids.items():
        assert tokenizer.convert_tokens_to_ids(word) == number
        assert tokenizer(word, add_special_tokens=False)["input_ids"] == [number]
        assert tokenizer.decode([number], skip_special_tokens=True) == ""
    assert tokenizer.mask_token_id == model.config.mask_token_id
    assert tokenizer.eos_token_id == model.config.eos_token_id


@pytest.mark.parametrize("name", NAMES)
def test_text_comes_back_and_never_needs_a_filler(folder: Path, name: str) -> None:
    tokenizer = load_model(folder / name)[1]
    text = "def add(a, b):\n    return a + b  # ünïcode\n"
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(ids) == text
    assert max(ids) < 1024


@pytest.mark.parametrize("name", ["llada-8b-instruct", "llada2.0-mini"])
def test_the_layout_is_sharded_bf16_with_an_index(folder: Path, name: str) -> None:
    index = json.loads((folder / name / "model.safetensors.index.json").read_text())
    assert len(set(index["weight_map"].values())) > 1
    assert load_model(folder / name, dtype=None)[0].dtype == torch.bfloat16


def test_mdlm_is_one_file_in_fp32(folder: Path) -> None:
    assert not (folder / "mdlm-owt" / "model.safetensors.index.json").exists()
    assert load_model(folder / "mdlm-owt", dtype=None)[0].dtype == torch.float32
