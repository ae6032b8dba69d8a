"""Names of models and the errors for wrong ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from xpflow.errors import HubError, ModelLoadError
from xpflow.models.checkpoint import save_checkpoint
from xpflow.models.load import load_model
from xpflow.models.registry import HUB_MODELS, MODELS
from xpflow.study.config.inputs import ModelChoice

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


def test_published_models_are_pinned_by_short_name_and_hub_id_and_never_fetched_silently(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    dream = {"dream-7b-instruct", "dream-7b-base", "dream-coder-7b-instruct"}
    assert set(HUB_MODELS) == {"llada-8b-instruct", "llada2.0-mini", "mdlm-owt", *dream} <= set(MODELS)
    for name, repo in HUB_MODELS.items():
        assert len(repo.revision) == 40
        assert all(len(sha) == 64 for sha in repo.sha256.values())
        assert ModelChoice(name=name, training="full").name == name
        for known in (name, repo.hub_id):
            with pytest.raises(HubError, match=f"hf download {repo.hub_id} --revision {repo.revision}"):
                load_model(known)
