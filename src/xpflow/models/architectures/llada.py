"""LLaDA: dense and bidirectional (LLaDA-8B and the micro model); the model is in `models/llada.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from xpflow.models.architecture import Architecture, Sizes, Tiny, TokenizerKind
from xpflow.models.keys import COUNT, NUMBER, Fields, Keys, Rule, of_class

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

    from xpflow.models.layers import FeatureBlock

# The fields of the published config.json that decide sizes.
PUBLISHED: dict[str, Any] = {
    "vocab_size": 126464,
    "d_model": 4096,
    "n_layers": 32,
    "n_heads": 32,
    "mlp_hidden_size": 12288,
    "max_sequence_length": 4096,
}


def classes() -> tuple[type[PretrainedConfig], type[PreTrainedModel]]:
    """Return configuration and model."""
    from xpflow.models.llada import LLaDAConfig, LLaDAModelLM

    return LLaDAConfig, LLaDAModelLM


def block() -> type[FeatureBlock]:
    """Return what order heads are made of."""
    from xpflow.models.llada import LLaDAFeatureBlock

    return LLaDAFeatureBlock


def sizes(fields: Mapping[str, Any]) -> Sizes:
    """Return the sizes in a config.json."""
    values = {**PUBLISHED, **fields}
    heads, width = values["n_heads"], values["d_model"]
    return Sizes(
        vocab=values.get("embedding_size") or values["vocab_size"],
        width=width,
        layers=values["n_layers"],
        heads=heads,
        kv_heads=kv_heads(values),
        head_width=width // heads,
        inner=inner_width(values),
        block_length=values.get("block_length") or 0,
        fused_qkv=False,
    )


def micro(vocab_size: int) -> dict[str, Any]:
    """Return the micro configuration: width 128, 4 layers, 4 heads."""
    return {
        "vocab_size": vocab_size,
        "embedding_size": vocab_size,
        "d_model": 128,
        "n_layers": 4,
        "n_heads": 4,
        "n_kv_heads": 4,
        "mlp_hidden_size": 384,
        "max_sequence_length": 512,
        "init_std": 128**-0.5,  # the embeddings' scale; with 0.02 copying of names was learned late
    }


def inner_width(values: Fields) -> int:
    """Return the width inside the MLP."""
    return int(values["mlp_hidden_size"] or values.get("mlp_ratio", 4) * values["d_model"])


def kv_heads(values: Fields) -> int:
    """Return the number of key heads."""
    return int(values.get("n_kv_heads") or values["n_heads"])


def one_key_head(values: Fields) -> bool | None:
    """Return what `multi_query_attention` has to be where it is stated: the heads of n_kv_heads win."""
    return {1: True, values["n_heads"]: False}.get(kv_heads(values))


KEYS = Keys(
    published=PUBLISHED,
    implemented={
        **dict.fromkeys(("vocab_size", "d_model", "n_layers", "n_heads", "max_sequence_length"), COUNT),
        **dict.fromkeys(
            ("embedding_size", "n_kv_heads", "mlp_ratio", "mlp_hidden_size", "block_length"), COUNT.or_null()
        ),
        **dict.fromkeys(("rms_norm_eps", "rope_theta", "init_std"), NUMBER),
    },
    neutral=frozenset(
        (
            *("precision", "flash_attention", "init_fn", "init_device", "init_cutoff_factor"),
            *("alibi_bias_max", "attention_layer_norm_with_affine"),  # of parts that are off
            *("num_experts_per_tok", "n_group", "topk_group"),  # choices among experts: there are none
        )
    ),
    only={
        **dict.fromkeys(("num_experts", "num_shared_experts"), (0,)),
        "block_type": ("llama",),
        "block_group_size": (1,),
        "activation_type": ("silu",),
        "layer_norm_type": ("rms",),
        "layer_norm_with_affine": (True,),
        "rope": (True,),
        "rope_full_precision": (True,),
        "partial_rotary_factor": (1.0,),
        "hidden_act": ("silu",),
        **dict.fromkeys(
            (
                "include_bias",
                "include_qkv_bias",
                "bias_for_layer_norm",
                "weight_tying",
                "alibi",
                "scale_logits",
                "input_emb_norm",
                "attention_layer_norm",
            ),
            (False,),
        ),
    },
    same={
        "hidden_size": lambda values: values["d_model"],
        "num_hidden_layers": lambda values: values["n_layers"],
        "num_attention_heads": lambda values: values["n_heads"],
        "num_key_value_heads": kv_heads,
        "intermediate_size": inner_width,
        "max_position_embeddings": lambda values: values["max_sequence_length"],
        "head_dim": lambda values: values["d_model"] // values["n_heads"],
        "multi_query_attention": one_key_head,
        "layer_types": lambda values: ["full_attention"] * values["n_layers"],
    },
    rules=(
        of_class("LLaDAModelLM"),
        Rule(
            "heads must have one even width",
            ("d_model", "n_heads"),
            lambda values: values["d_model"] % (2 * values["n_heads"]) == 0,
        ),
        Rule(
            "every key head must serve as many query heads",
            ("n_heads", "n_kv_heads"),
            lambda values: values["n_heads"] % kv_heads(values) == 0,
        ),
        Rule(
            "embedding_size holds the whole vocabulary",
            ("embedding_size", "vocab_size"),
            lambda values: (values.get("embedding_size") or values["vocab_size"]) >= values["vocab_size"],
        ),
    ),
)
TOKENIZER = TokenizerKind(
    special={
        "bos": "<|startoftext|>",
        "eos": "<|endoftext|>",
        "mask": "<|mdm_mask|>",
        "header_start": "<|start_header_id|>",
        "header_end": "<|end_header_id|>",
        "eot": "<|eot_id|>",
    },
    end_of_turn="eot",
    chat_template=(
        "{% for message in messages %}"
        "{% if loop.first %}{{ bos_token }}{% endif %}"
        "<|start_header_id|>{{ message['role'] }}<|end_header_id|>\n\n"
        "{{ message['content'] | trim }}<|eot_id|>"
        "{% endfor %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}"
    ),
    turns=("user\n\n", "assistant\n\n"),
)
TINY = Tiny(
    special_ids={
        "<|startoftext|>": 126080,
        "<|endoftext|>": 126081,
        "<|mdm_mask|>": 126336,
        "<|start_header_id|>": 126346,
        "<|end_header_id|>": 126347,
        "<|eot_id|>": 126348,
    },
    fields={
        "vocab_size": 126464,
        "embedding_size": 126464,
        "d_model": 32,
        "n_layers": 2,
        "n_heads": 2,
        "n_kv_heads": 2,
        "mlp_hidden_size": 64,
        "init_std": 1.0,
    },
)
ARCHITECTURE = Architecture(
    name="llada",
    about="dense, bidirectional",
    classes=classes,
    tokenizer=TOKENIZER,
    sizes=sizes,
    micro=micro,
    lora_targets=r".*\.(q_proj|k_proj|v_proj|attn_out|ff_proj|up_proj|ff_out)",
    tiny=TINY,
    block=block,
    keys=KEYS,
)
