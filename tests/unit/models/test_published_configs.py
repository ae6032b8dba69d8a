"""The published config.json files (their fields, restated) are understood field by field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from xpflow.models.checkpoint import read_config

LLADA: dict[str, Any] = {
    "activation_type": "silu", "alibi": False, "alibi_bias_max": 8.0, "architectures": ["LLaDAModelLM"],
    "attention_dropout": 0.0, "attention_layer_norm": False, "attention_layer_norm_with_affine": True,
    "auto_map": {"AutoConfig": "configuration_llada.LLaDAConfig", "AutoModel": "modeling_llada.LLaDAModelLM"},
    "bias_for_layer_norm": False, "block_group_size": 1, "block_type": "llama", "d_model": 4096,
    "embedding_dropout": 0.0, "embedding_size": 126464, "eos_token_id": 126081, "flash_attention": False,
    "include_bias": False, "include_qkv_bias": False, "init_device": "meta", "init_fn": "mitchell",
    "init_std": 0.02, "input_emb_norm": False, "layer_norm_type": "rms", "layer_norm_with_affine": True,
    "mask_token_id": 126336, "max_sequence_length": 4096, "mlp_hidden_size": 12288, "mlp_ratio": 4,
    "model_type": "llada", "multi_query_attention": None, "n_heads": 32, "n_kv_heads": 32, "n_layers": 32,
    "pad_token_id": 126081, "precision": "amp_bf16", "residual_dropout": 0.0, "rms_norm_eps": 1e-05,
    "rope": True, "rope_full_precision": True, "rope_theta": 500000.0, "scale_logits": False,
    "transformers_version": "4.46.3", "use_cache": False, "vocab_size": 126464, "weight_tying": False,
}  # fmt: skip
LLADA2: dict[str, Any] = {
    "architectures": ["LLaDA2MoeModelLM"], "attention_dropout": 0.0, "dtype": "bfloat16",
    "embedding_dropout": 0.0,
    "first_k_dense_replace": 1, "head_dim": 128, "hidden_act": "silu", "hidden_size": 2048,
    "initializer_range": 0.02, "intermediate_size": 5120, "max_position_embeddings": 32768,
    "model_type": "llada2_moe", "moe_intermediate_size": 512, "moe_router_enable_expert_bias": True,
    "n_group": 8,
    "norm_head": False, "norm_topk_prob": True, "num_attention_heads": 16, "num_experts": 256,
    "num_experts_per_tok": 8, "num_hidden_layers": 20, "num_key_value_heads": 4, "num_shared_experts": 1,
    "output_dropout": 0.0, "pad_token_id": 156892, "partial_rotary_factor": 0.5, "rms_norm_eps": 1e-06,
    "rope_scaling": None, "rope_theta": 600000, "rotary_dim": 64, "routed_scaling_factor": 2.5,
    "router_dtype": "fp32", "score_function": "sigmoid", "sliding_window": 4096, "tie_word_embeddings": False,
    "topk_group": 4, "use_bias": False, "use_cache": False, "use_qk_norm": True, "use_qkv_bias": False,
    "use_rmsnorm": True, "use_sliding_window": False, "vocab_size": 157184,
}  # fmt: skip


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("published", [LLADA, LLADA2])
def test_published_configuration_is_read_field_by_field(published: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(published))
    config = read_config(tmp_path)
    skipped = {"auto_map", "dtype", "transformers_version", "rope_scaling"}
    assert {key: getattr(config, key) for key in published.keys() - skipped} == {
        key: value for key, value in published.items() if key not in skipped
    }


def test_special_ids_that_published_files_lack_have_the_published_values(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(LLADA2))
    config = read_config(tmp_path)
    assert (config.mask_token_id, config.eos_token_id, config.block_length) == (156895, 156892, 32)
