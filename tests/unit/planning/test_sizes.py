"""Sizes from formulae are those of the models themselves, built without memory on the meta device."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest
import torch
from transformers import PretrainedConfig, PreTrainedModel

from xpflow.errors import ConfigError
from xpflow.models.architectures import ARCHITECTURES
from xpflow.models.checkpoint import read_config
from xpflow.models.dream import DreamConfig, DreamModel
from xpflow.models.llada import LLaDAConfig, LLaDAModelLM
from xpflow.models.llada2 import LLaDA2MoeConfig, LLaDA2MoeModelLM
from xpflow.models.load import load_model
from xpflow.models.mdlm import MDLM, MDLMConfig
from xpflow.models.registry import SHIPPED
from xpflow.planning.sizes import read_sizes, sizes_in, sizes_of
from xpflow.study.config.inputs import ModelChoice
from xpflow.study.config.training import LoraSettings, TrainingBlock, TrainingRun
from xpflow.training.examples import Example, OwnAnswers
from xpflow.training.tuning import tuner
from xpflow.training.weights import with_adapters

LLADA = sizes_of(ModelChoice(name="llada-8b-instruct", training="full"))
LLADA2 = sizes_of(ModelChoice(name="llada2.0-mini", training="full"))

SHAPES: dict[str, PretrainedConfig] = {
    "llada-8b-instruct": LLaDAConfig(),
    "llada2.0-mini": LLaDA2MoeConfig(),
    "mdlm-owt": MDLMConfig(),
    "dream-7b-instruct": DreamConfig(),
    "llada-micro": read_config(SHIPPED / "llada-micro"),
    "llada2-micro": read_config(SHIPPED / "llada2-micro"),
}


@cache
def published(name: str) -> PreTrainedModel:
    return on_meta(SHAPES[name])


def on_meta(config: PretrainedConfig) -> PreTrainedModel:
    classes = {"llada": LLaDAModelLM, "llada2_moe": LLaDA2MoeModelLM, "mdlm": MDLM, "Dream": DreamModel}
    with torch.device("meta"):
        return classes[config.model_type](config)


@pytest.mark.parametrize("name", SHAPES)
def test_parameters_are_the_stored_numbers_of_the_model(name: str) -> None:
    state = published(name).state_dict()
    arch = sizes_of(ModelChoice(name=name, training="full"))
    assert arch.parameters == sum(tensor.numel() for tensor in state.values())


def test_parameters_of_the_published_models() -> None:
    assert LLADA.parameters == 8_015_581_184
    assert sizes_of(ModelChoice(name="mdlm-owt", training="full")).parameters * 4 == 678_509_000
    assert LLADA2.parameters == 16_255_643_392
    assert LLADA2.active == pytest.approx(1.44e9, rel=0.01)
    assert LLADA2.cache_per_token * 2 == 40_960
    assert LLADA.cache_per_token * 2 == 524_288


@pytest.mark.parametrize("name", ["llada-8b-instruct", "llada2.0-mini", "mdlm-owt", "dream-7b-instruct"])
def test_the_largest_layer_is_what_one_layer_of_the_model_holds(name: str) -> None:
    model = published(name)
    prefix = {
        "llada-8b-instruct": "model.transformer.blocks.1.",
        "llada2.0-mini": "model.layers.1.",
        "mdlm-owt": "backbone.blocks.1.",
        "dream-7b-instruct": "model.layers.1.",
    }[name]
    held = sum(tensor.numel() for key, tensor in model.state_dict().items() if key.startswith(prefix))
    assert sizes_of(ModelChoice(name=name, training="full")).layer == held


@pytest.mark.parametrize(
    "config",
    [
        MDLMConfig(vocab_size=61, mask_token_id=4, hidden_dim=32, n_blocks=3, n_heads=2, cond_dim=9),
        LLaDAConfig(vocab_size=61, d_model=32, n_layers=3, n_heads=4, n_kv_heads=2, mlp_hidden_size=40),
        DreamConfig(
            vocab_size=61,
            hidden_size=32,
            num_hidden_layers=3,
            intermediate_size=40,
            num_attention_heads=4,
            num_key_value_heads=2,
            mask_token_id=4,
        ),
    ],
    ids=lambda config: str(config.model_type),
)
def test_adapters_on_a_dense_model_are_as_many_as_a_run_trains(config: PretrainedConfig) -> None:
    adapted = with_adapters(ARCHITECTURES[config.model_type].build(config), LoraSettings(rank=5), 0)
    trained = sum(weight.numel() for weight in adapted.parameters() if weight.requires_grad)
    assert sizes_in(config.to_dict()).lora_parameters(5) == trained


def test_adapters_are_as_many_as_a_run_trains() -> None:
    model, _ = load_model("llada2-micro")
    data = OwnAnswers([Example((7,), (8, 9))], [], [])
    block = TrainingBlock(lora=LoraSettings(rank=5))
    trainer = tuner(model, data, block, TrainingRun(name="paper"), full=False, seed=0)
    trained = sum(parameter.numel() for parameter in trainer.trained)
    arch = sizes_of(ModelChoice(name="llada2-micro", training="lora"))
    assert arch.lora_parameters(5) == trained


def test_a_directory_wins_over_the_name_where_it_exists(tmp_path: Path) -> None:
    fields = json.loads((SHIPPED / "llada-micro" / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**fields, "n_layers": 3}))
    found = sizes_of(ModelChoice(name="llada-micro", directory=str(tmp_path), training="full"))
    assert found.layers == 3
    absent = ModelChoice(name="llada-8b-instruct", directory=str(tmp_path / "no"), training="full")
    assert sizes_of(absent) == LLADA


def test_an_unknown_model_is_an_error_that_says_what_to_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="sizes of this model are not known") as caught:
        sizes_of(ModelChoice(name="llada-8b-instrukt", training="full"))
    assert "llada-8b-instruct" in caught.value.hint
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(ConfigError, match="unknown model_type 'llama'"):
        read_sizes(tmp_path / "config.json")
