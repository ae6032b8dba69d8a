"""Names of models and the errors for wrong ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from xpflow.errors import ModelLoadError
from xpflow.models import MODELS, load_model, save_checkpoint

Make = Callable[..., PreTrainedModel]


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel({"a": 0, "b": 1}, unk_token="a"))
    )


def test_a_folder_gives_model_and_tokenizer(name: str, make_model: Make, tmp_path: Path) -> None:
    save_checkpoint(make_model(name), tiny_tokenizer(), tmp_path / "m")
    model, tokenizer = load_model(tmp_path / "m", device="cpu", dtype=torch.float32)
    assert not model.training
    assert tokenizer.convert_tokens_to_ids(["b"]) == [1]
    assert model(input_ids=torch.tensor([[0, 1]])).logits.shape == (1, 2, 101)


def test_an_unknown_name_gives_the_nearest() -> None:
    with pytest.raises(ModelLoadError, match=r"did you mean 'llada-micro'"):
        load_model("llada-mikro")


def test_a_folder_without_tokenizer_is_named(make_model: Make, tmp_path: Path) -> None:
    save_checkpoint(make_model("llada-micro"), None, tmp_path / "m")
    with pytest.raises(ModelLoadError, match=r"no tokenizer\.json"):
        load_model(tmp_path / "m")


def test_hub_models_are_pinned_and_never_fetched_silently(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hub = {name: entry for name, entry in MODELS.items() if "/" in name}
    assert all(len(entry.revision) == 40 for entry in hub.values())
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    for entry in hub.values():
        with pytest.raises(ModelLoadError, match=f"hf download {entry.name} --revision {entry.revision}"):
            load_model(entry.name)
