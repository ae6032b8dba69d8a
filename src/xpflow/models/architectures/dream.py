"""Dream: dense, bidirectional, shifted by one place (Dream-7B, Dream-Coder); the model: `models/dream.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from xpflow.models.architecture import Architecture, Sizes, Tiny, TokenizerKind
from xpflow.models.keys import COUNT, NUMBER, Keys, Rule, of_class

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

# The fields of Dream-7B's config.json that decide sizes; Dream-Coder-7B's has 32,768 positions.
PUBLISHED: dict[str, Any] = {
    "vocab_size": 152064,
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "max_position_embeddings": 131072,
}


def classes() -> tuple[type[PretrainedConfig], type[PreTrainedModel]]:
    """Return configuration and model."""
    from xpflow.models.dream import DreamConfig, DreamModel

    return DreamConfig, DreamModel


def sizes(fields: Mapping[str, Any]) -> Sizes:
    """Return the sizes in a config.json."""
    values = {**PUBLISHED, **fields}
    heads, width = values["num_attention_heads"], values["hidden_size"]
    return Sizes(
        vocab=values["vocab_size"],
        width=width,
        layers=values["num_hidden_layers"],
        heads=heads,
        kv_heads=values["num_key_value_heads"],
        head_width=width // heads,
        inner=values["intermediate_size"],
        qkv_bias=True,
        fused_qkv=False,
    )


def micro(vocab_size: int) -> dict[str, Any]:
    """Return the micro configuration: width 128, 4 layers, 4 heads on 2 key heads."""
    return {
        "vocab_size": vocab_size,
        "hidden_size": 128,
        "intermediate_size": 384,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "rope_theta": 10000.0,
        "max_position_embeddings": 512,
        "initializer_range": 128**-0.5,
    }


KEYS = Keys(
    published=PUBLISHED,
    implemented={
        **dict.fromkeys(PUBLISHED, COUNT),
        **dict.fromkeys(("rms_norm_eps", "rope_theta", "initializer_range"), NUMBER),
    },
    neutral=frozenset(("sliding_window", "max_window_layers")),  # of a window that is off
    only={
        "hidden_act": ("silu",),
        "use_sliding_window": (False,),
        "full_attn_mask": (True,),
        "block_length": (),
    },
    same={
        "head_dim": lambda values: values["hidden_size"] // values["num_attention_heads"],
        "layer_types": lambda values: ["full_attention"] * values["num_hidden_layers"],
    },
    rules=(
        of_class("DreamModel"),
        Rule(
            "heads must have one even width",
            ("hidden_size", "num_attention_heads"),
            lambda values: values["hidden_size"] % (2 * values["num_attention_heads"]) == 0,
        ),
        Rule(
            "every key head must serve as many query heads",
            ("num_attention_heads", "num_key_value_heads"),
            lambda values: values["num_attention_heads"] % values["num_key_value_heads"] == 0,
        ),
    ),
)
# Qwen2.5's tokens, and two behind them. The published repositories have the tokenizer as vocab.json and
# merges.txt; what cuts a text into words before merging was Qwen2's own class there.
TOKENIZER = TokenizerKind(
    special={
        "bos": "<|beginoftext|>",
        "eos": "<|endoftext|>",
        "mask": "<|mask|>",
        "turn_start": "<|im_start|>",
        "turn_end": "<|im_end|>",
    },
    end_of_turn="turn_end",
    chat_template=(
        "{% if messages[0]['role'] != 'system' %}"
        "{{ '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' }}"
        "{% endif %}"
        "{% for message in messages %}"
        "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
        "{% endfor %}"
        "{{ '<|im_start|>assistant\n' }}"
    ),
    turns=("user\n", "assistant\n"),
    words=(
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
        r"|\s+(?!\S)|\s+"
    ),
)
TINY = Tiny(
    special_ids={
        "<|endoftext|>": 151643,
        "<|im_start|>": 151644,
        "<|im_end|>": 151645,
        "<|beginoftext|>": 151665,
        "<|mask|>": 151666,
    },
    fields={
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    },
)
ARCHITECTURE = Architecture(
    name="Dream",
    about="dense, bidirectional, each place predicts the next one",
    classes=classes,
    tokenizer=TOKENIZER,
    sizes=sizes,
    micro=micro,
    lora_targets=r".*([qkvo]_proj|(gate|up|down)_proj|lm_head)",
    tiny=TINY,
    keys=KEYS,
)
