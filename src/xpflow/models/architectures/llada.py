"""LLaDA: dense and bidirectional (LLaDA-8B and the micro model); the model is in `models/llada.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from xpflow.models.architecture import Architecture, Sizes, Tiny, TokenizerKind

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

# The fields of the published config.json that decide sizes.
PUBLISHED: dict[str, Any] = {
    "vocab_size": 126464,
    "d_model": 4096,
    "n_layers": 32,
    "n_heads": 32,
    "mlp_hidden_size": 12288,
}


def classes() -> tuple[type[PretrainedConfig], type[PreTrainedModel]]:
    """Return configuration and model."""
    from xpflow.models.llada import LLaDAConfig, LLaDAModelLM

    return LLaDAConfig, LLaDAModelLM


def sizes(fields: Mapping[str, Any]) -> Sizes:
    """Return the sizes in a config.json."""
    values = {**PUBLISHED, **fields}
    heads, width = values["n_heads"], values["d_model"]
    return Sizes(
        vocab=values.get("embedding_size") or values["vocab_size"],
        width=width,
        layers=values["n_layers"],
        heads=heads,
        kv_heads=values.get("n_kv_heads") or heads,
        head_width=width // heads,
        inner=values["mlp_hidden_size"] or values.get("mlp_ratio", 4) * width,
        block_length=values.get("block_length") or 0,
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
)
