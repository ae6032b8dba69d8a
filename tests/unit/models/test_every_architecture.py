"""What holds for every architecture of the table: what it says of itself, and the contract of its models."""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from transformers import PretrainedConfig

from xpflow.errors import ConfigError
from xpflow.models.architectures import ARCHITECTURES
from xpflow.models.load import load_model
from xpflow.models.registry import MICRO_NAMES, MODELS, architecture_name, model_folder
from xpflow.models.untrained import SpecialIds, new_model, tiny_models
from xpflow.study.config.training import LoraSettings
from xpflow.training.weights import with_adapters

IDS = torch.arange(3, 15)[None]
NAMES = {MODELS[name].architecture: name for name in MICRO_NAMES}  # those of which a micro model ships
SPECIAL = SpecialIds(mask_token_id=4, eos_token_id=1, pad_token_id=0)


def micro_fields(name: str) -> PretrainedConfig:
    kind = ARCHITECTURES[name]
    return kind.config(**kind.micro(61), **asdict(SPECIAL))


def micro(name: str) -> torch.nn.Module:
    """Return a micro model in which nothing is zero throughout: some start heads and gates at zero."""
    model, generator = new_model(micro_fields(name), 0).eval(), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in model.parameters():
            if not weight.any():
                weight += 0.1 * torch.randn(weight.shape, generator=generator)
    return model


def test_every_named_model_has_an_architecture_and_each_has_a_named_model() -> None:
    assert {entry.architecture for entry in MODELS.values()} == set(ARCHITECTURES)
    assert set(tiny_models()) <= set(MODELS)


@pytest.mark.parametrize("name", list(ARCHITECTURES))
def test_an_architecture_is_found_without_loading_anything(name: str, tmp_path: Path) -> None:
    assert ARCHITECTURES[name].name == name
    assert ARCHITECTURES[name].config().model_type == name
    for model, entry in MODELS.items():
        assert architecture_name(model) == entry.architecture
        assert entry.repo is None or architecture_name(entry.repo.hub_id) == entry.architecture
    if name in NAMES:
        assert architecture_name(model_folder(NAMES[name])) == name
    assert architecture_name(tmp_path) is None
    assert architecture_name("nowhere") is None


@pytest.mark.parametrize("name", list(ARCHITECTURES))
def test_a_tokenizer_has_the_tokens_that_decoding_needs(name: str) -> None:
    kind = ARCHITECTURES[name].tokenizer
    assert {"bos", "eos", "mask", kind.end_of_turn} <= set(kind.special)
    tiny = ARCHITECTURES[name].tiny
    assert tiny is None or set(tiny.special_ids) == set(kind.special.values())


@pytest.mark.parametrize("name", list(ARCHITECTURES))
def test_adapters_go_on_attention_and_head_and_on_no_routed_expert(name: str) -> None:
    model, targets = micro(name), re.compile(ARCHITECTURES[name].lora_targets)
    chosen = [key for key, _ in model.named_modules() if targets.fullmatch(key)]
    head = model.get_output_embeddings()
    assert any(model.get_submodule(key) is head for key in chosen)
    assert len(chosen) > len(model._no_split_modules)
    assert all(isinstance(model.get_submodule(key), torch.nn.Linear) for key in chosen)
    assert not any(".experts." in key for key in chosen)


@pytest.mark.parametrize("name", list(ARCHITECTURES))
@pytest.mark.parametrize("dense", [0, 1, 2, 4])
def test_adapters_go_on_every_linear_that_is_no_routed_expert(name: str, dense: int) -> None:
    config = micro_fields(name)
    if hasattr(config, "first_k_dense_replace"):
        config.first_k_dense_replace = dense
    model = new_model(config, 0)
    linears = {key for key, module in model.named_modules() if isinstance(module, torch.nn.Linear)}
    adapted = with_adapters(model, LoraSettings(rank=2), 0)
    chosen = {
        key.removeprefix("base_model.model.").removesuffix(".lora_A.default")
        for key, _ in adapted.named_modules()
        if key.endswith(".lora_A.default")
    }
    assert chosen == {key for key in linears if ".experts." not in key}


@pytest.mark.parametrize("name", list(ARCHITECTURES))
def test_an_architecture_whose_pattern_fits_nothing_is_an_error(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = {name: replace(ARCHITECTURES[name], lora_targets="nothing")}
    monkeypatch.setattr("xpflow.training.weights.ARCHITECTURES", nothing)
    with pytest.raises(ConfigError, match="has no module that its lora_targets 'nothing' name"):
        with_adapters(micro(name), LoraSettings(rank=2), 0)


@torch.no_grad()
@pytest.mark.parametrize("name", list(ARCHITECTURES))
def test_a_model_meets_the_contract(name: str) -> None:
    model = micro(name)
    for field in ("vocab_size", "mask_token_id", "eos_token_id", "eot_token_id", "suppress_token_ids"):
        assert hasattr(model.config, field)
    everything = model(input_ids=IDS).logits
    assert everything.shape == (1, 12, 61)
    places = torch.tensor([[2, 7]])
    some = model(input_ids=IDS, logits_positions_BN=places).logits
    torch.testing.assert_close(some, everything[:, places[0]])
    embedded = model(inputs_embeds=model.get_input_embeddings()(IDS)).logits
    torch.testing.assert_close(embedded, everything)
    hidden = model(input_ids=IDS, head=False).hidden
    torch.testing.assert_close(model.get_output_embeddings()(hidden).to(everything.dtype), everything)
    torch.testing.assert_close(model(input_ids=IDS, attention_mask=torch.ones(1, 12)).logits, everything)
    layers = {type(module).__name__ for module in model.modules()}
    assert set(model._no_split_modules) <= layers
    assert not model.config.block_length or model.new_cache(1, 12).rows == 1


@pytest.mark.parametrize("name", list(ARCHITECTURES))
def test_sizes_of_a_config_are_those_of_the_model(name: str) -> None:
    model = load_model(NAMES[name])[0] if name in NAMES else micro(name)
    sizes = ARCHITECTURES[name].sizes(model.config.to_dict())
    assert model.get_input_embeddings().weight.shape == (sizes.vocab, sizes.width)
    assert sizes.layers == model.config.num_hidden_layers
    assert sizes.block_length == (model.config.block_length or 0)


def test_a_folder_of_weights_cannot_name_a_file_of_code(tmp_path: Path) -> None:
    from xpflow.errors import ModelLoadError
    from xpflow.models.checkpoint import read_config

    (tmp_path / "mine.py").write_text("raise SystemExit('ran')")
    (tmp_path / "config.json").write_text(f'{{"model_type": "{tmp_path / "mine.py"}"}}')
    with pytest.raises(ModelLoadError, match="unknown model_type"):
        read_config(tmp_path)
