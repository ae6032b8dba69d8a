"""A key of config.json is implemented, neutral, or an error that names key, value and file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForMaskedLM, PreTrainedModel

from xpflow.errors import ModelLoadError
from xpflow.models.architectures import ARCHITECTURES
from xpflow.models.checkpoint import load_checkpoint, read_config, save_checkpoint

Make = Callable[..., PreTrainedModel]
LLADA, LLADA2 = "llada-micro", "llada2-micro"
EACH = (LLADA, LLADA2)
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 4096}

REFUSED: list[tuple[str, str, Any]] = [
    *((name, "rope_scaling", YARN) for name in EACH),
    *((name, "rope_scaling", {"type": "linear", "factor": 2.0}) for name in EACH),
    *((name, "rope_scaling", {"factor": 2.0}) for name in EACH),
    *((name, "rope_scaling", {"rope_type": "dynamic", "factor": 1.0}) for name in EACH),
    *((name, "rope_parameters", {**YARN, "rope_theta": 500000.0}) for name in EACH),
    *((name, "rope_parameters", {"full_attention": {"rope_type": "default"}}) for name in EACH),
    *((name, "quantization_config", {"quant_method": "gptq", "bits": 4}) for name in EACH),
    *((name, "compression_config", {"format": "int-quantized"}) for name in EACH),
    *((name, "attention_dropout", 0.1) for name in EACH),
    *((name, "attention_multiplier", 0.5) for name in EACH),
    *((name, "tie_word_embeddings", True) for name in EACH),
    *((name, "layer_types", ["sliding_attention"] * 4) for name in EACH),
    *((name, "architectures", "LLaDAModelLM") for name in EACH),
    *((name, "architectures", ["Qwen2ForCausalLM"]) for name in EACH),
    (LLADA, "architectures", ["LLaDA2MoeModelLM"]),
    (LLADA2, "architectures", ["LLaDAModelLM"]),
    (LLADA, "clip_qkv", 8.0),
    (LLADA, "multi_query_attention", True),
    (LLADA, "scale_emb_init", True),
    (LLADA, "norm_after", True),
    (LLADA, "weight_tying", True),
    (LLADA, "activation_type", "swiglu"),
    (LLADA, "num_experts", 8),
    (LLADA, "hidden_size", 64),
    (LLADA, "partial_rotary_factor", 0.5),
    (LLADA2, "rotary_dim", 32),
    (LLADA2, "use_sliding_window", True),
    (LLADA2, "router_dtype", "bf16"),
    (LLADA2, "score_function", "softmax"),
    (LLADA2, "num_nextn_predict_layers", 1),
    (LLADA2, "moe_shared_expert_intermediate_size", 128),
]
NEUTRAL: list[tuple[str, str, Any]] = [
    *((name, "rope_scaling", None) for name in EACH),
    *((name, "rope_scaling", {"rope_type": "default"}) for name in EACH),
    *((name, "rope_scaling", {"type": "default"}) for name in EACH),
    *((name, "rope_scaling", {"type": "linear", "factor": 1.0}) for name in EACH),
    *((name, "rope_parameters", {"rope_type": "default"}) for name in EACH),
    *((name, "quantization_config", None) for name in EACH),
    *((name, "torch_dtype", "bfloat16") for name in EACH),
    *((name, "architectures", None) for name in EACH),
    *((name, "use_cache", True) for name in EACH),
    *((name, "temperature", 0.7) for name in EACH),
    *((name, "attention_dropout", 0.0) for name in EACH),
    *((name, "layer_types", ["full_attention"] * 4) for name in EACH),
    *((name, "_attn_implementation_autoset", True) for name in EACH),
    (LLADA, "clip_qkv", None),
    (LLADA, "multi_query_attention", None),
    (LLADA, "multi_query_attention", False),
    (LLADA, "flash_attention", True),
    (LLADA, "alibi_bias_max", 8.0),
    (LLADA, "hidden_size", 128),
    (LLADA, "rope_parameters", {"rope_type": "default", "rope_theta": 500000.0}),
    (LLADA2, "rope_parameters", {"rope_theta": 10000.0, "partial_rotary_factor": 0.5}),
    (LLADA2, "rotary_dim", 16),
    (LLADA2, "sliding_window", 4096),
    (LLADA2, "router_dtype", "fp32"),
]
WRONG: list[tuple[str, str, Any]] = [
    *((name, key, value) for name in EACH for key, value in (
        ("eos_token_id", [1, 2]), ("mask_token_id", "4"), ("eos_token_id", 101), ("mask_token_id", -1),
        ("suppress_token_ids", [3, 500]), ("rms_norm_eps", float("nan")), ("rope_theta", float("inf")),
        ("rope_theta", 0), ("vocab_size", 101.0), ("block_length", -16), ("noise", "uniform"),
    )),
    (LLADA, "n_heads", 5), (LLADA, "n_heads", 0), (LLADA, "n_kv_heads", 3), (LLADA, "embedding_size", 50),
    (LLADA2, "num_key_value_heads", 3), (LLADA2, "n_group", 3), (LLADA2, "topk_group", 5),
    (LLADA2, "num_experts_per_tok", 5), (LLADA2, "norm_topk_prob", "yes"), (LLADA2, "block_length", None),
]  # fmt: skip


@pytest.fixture(scope="module")
def folders(make_model: Make, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A small model of each architecture; only config.json is changed, and put back."""
    places = {name: tmp_path_factory.mktemp(name) / "model" for name in EACH}
    for name, folder in places.items():
        save_checkpoint(make_model(name), None, folder)
    return places


@pytest.fixture
def changed(folders: dict[str, Path], tmp_path: Path) -> Callable[..., Path]:
    """Return a factory of folders with the model's weights and a changed config.json."""

    def change(name: str, **changes: Any) -> Path:
        fields = json.loads((folders[name] / "config.json").read_text(encoding="utf-8"))
        (tmp_path / "config.json").write_text(json.dumps({**fields, **changes}), encoding="utf-8")
        if not (tmp_path / "model.safetensors").exists():
            (tmp_path / "model.safetensors").symlink_to(folders[name] / "model.safetensors")
        return tmp_path

    return change


def named(*cases: tuple[str, str, Any]) -> list[str]:
    return [f"{name}-{key}-{value}" for name, key, value in cases]


@pytest.mark.parametrize(("name", "key", "value"), REFUSED, ids=named(*REFUSED))
def test_what_changes_numbers_and_is_not_implemented_is_an_error_that_names_it(
    name: str, key: str, value: Any, changed: Callable[..., Path]
) -> None:
    folder = changed(name, **{key: value})
    with pytest.raises(ModelLoadError) as caught:
        load_checkpoint(folder)
    assert f"{key}={value!r}" in caught.value.message
    assert str(folder / "config.json") in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(("name", "key", "value"), WRONG, ids=named(*WRONG))
def test_values_that_no_model_can_have_are_errors_that_name_them(
    name: str, key: str, value: Any, changed: Callable[..., Path]
) -> None:
    folder = changed(name, **{key: value})
    with pytest.raises(ModelLoadError, match=re.escape(f"{folder / 'config.json'}: ")) as caught:
        load_checkpoint(folder)
    assert f"{key}={value!r}" in caught.value.message


@torch.no_grad()
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("name", "key", "value"), NEUTRAL, ids=named(*NEUTRAL))
def test_what_is_neutral_changes_no_bit(
    name: str, key: str, value: Any, changed: Callable[..., Path], folders: dict[str, Path]
) -> None:
    ids = torch.arange(3, 30)[None]
    found = load_checkpoint(changed(name, **{key: value}))(input_ids=ids).logits
    assert torch.equal(found, load_checkpoint(folders[name])(input_ids=ids).logits)


@pytest.mark.parametrize("name", EACH)
def test_a_rope_object_may_hold_the_base_and_must_not_contradict_it(
    name: str, changed: Callable[..., Path]
) -> None:
    rope = {"rope_type": "default", "rope_theta": 1234.0}
    folder = changed(name, rope_parameters=rope)
    with pytest.raises(ModelLoadError, match=r"rope_theta=\d+\.0, but rope_parameters has 1234\.0"):
        load_checkpoint(folder)
    fields = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    del fields["rope_theta"]
    (folder / "config.json").write_text(json.dumps(fields), encoding="utf-8")
    assert read_config(folder).rope_theta == 1234.0


def test_one_key_head_is_multi_query_attention(make_model: Make, tmp_path: Path) -> None:
    save_checkpoint(make_model(LLADA, n_kv_heads=1), None, tmp_path / "m")
    file = tmp_path / "m" / "config.json"
    fields = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**fields, "multi_query_attention": True}), encoding="utf-8")
    assert load_checkpoint(tmp_path / "m").config.n_kv_heads == 1
    file.write_text(json.dumps({**fields, "multi_query_attention": False}), encoding="utf-8")
    with pytest.raises(ModelLoadError, match="multi_query_attention=False"):
        load_checkpoint(tmp_path / "m")


@pytest.mark.parametrize("name", EACH)
def test_the_auto_classes_of_transformers_refuse_as_much(name: str, changed: Callable[..., Path]) -> None:
    with pytest.raises(ModelLoadError, match="yarn"):
        AutoModelForMaskedLM.from_pretrained(changed(name, rope_parameters=YARN))
    with pytest.raises(ModelLoadError, match="attention_multiplier"):
        AutoModelForMaskedLM.from_pretrained(changed(name, attention_multiplier=0.5))


@pytest.mark.parametrize("name", list(ARCHITECTURES))
def test_every_architecture_has_a_table_and_its_own_configuration_passes(name: str) -> None:
    keys = ARCHITECTURES[name].keys
    assert keys is not None
    fields = ARCHITECTURES[name].config().to_diff_dict()
    assert keys.checked(fields, "defaults") == fields
    assert not set(keys.implemented) & (set(keys.only) | set(keys.same) | set(keys.neutral))
