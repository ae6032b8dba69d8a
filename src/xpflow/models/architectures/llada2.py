"""LLaDA2: block-causal with a mixture of experts (LLaDA2.0-mini, micro); the model: `models/llada2.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from xpflow.models.architecture import Architecture, Sizes, Tiny, TokenizerKind
from xpflow.models.keys import COUNT, FLAG, NUMBER, SIZE, Fields, Keys, Rule, of_class

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

# The fields of the published config.json that decide sizes.
PUBLISHED: dict[str, Any] = {
    "vocab_size": 157184,
    "hidden_size": 2048,
    "intermediate_size": 5120,
    "num_hidden_layers": 20,
    "num_attention_heads": 16,
    "num_key_value_heads": 4,
    "head_dim": 128,
    "first_k_dense_replace": 1,
    "moe_intermediate_size": 512,
    "num_experts": 256,
    "num_experts_per_tok": 8,
    "num_shared_experts": 1,
    "n_group": 8,
    "topk_group": 4,
    "partial_rotary_factor": 0.5,
    "block_length": 32,
}


def classes() -> tuple[type[PretrainedConfig], type[PreTrainedModel]]:
    """Return configuration and model."""
    from xpflow.models.llada2 import LLaDA2MoeConfig, LLaDA2MoeModelLM

    return LLaDA2MoeConfig, LLaDA2MoeModelLM


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
        head_width=values["head_dim"] or width // heads,
        inner=values["intermediate_size"],
        qk_norm=True,
        block_length=values["block_length"] or 0,
        first_dense=values["first_k_dense_replace"],
        experts=values["num_experts"],
        experts_per_token=values["num_experts_per_tok"],
        expert_inner=values["moe_intermediate_size"],
        shared_experts=values["num_shared_experts"],
    )


def micro(vocab_size: int) -> dict[str, Any]:
    """Return the micro configuration: 8 experts in 4 groups, 2 active, blocks of 16."""
    return {
        "vocab_size": vocab_size,
        "hidden_size": 128,
        "intermediate_size": 384,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 32,
        "moe_intermediate_size": 64,
        "num_experts": 8,
        "num_experts_per_tok": 2,
        "n_group": 4,
        "topk_group": 2,
        "rope_theta": 10000.0,
        "max_position_embeddings": 512,
        "block_length": 16,
    }


def rotary_width(values: Fields) -> int:
    """Return how many dimensions of a head turn."""
    width = values["head_dim"] or values["hidden_size"] // values["num_attention_heads"]
    return int(width * values["partial_rotary_factor"])


def fair_groups(values: Fields) -> bool:
    """Return whether experts can be chosen as the router does it: the best groups, then experts in them."""
    experts, groups, kept = values["num_experts"], values["n_group"], values["topk_group"]
    if experts % groups or kept > groups:
        return False
    return bool(values["num_experts_per_tok"] <= experts // groups * kept)


KEYS = Keys(
    published=PUBLISHED,
    implemented={
        **dict.fromkeys(
            (
                "vocab_size",
                "hidden_size",
                "intermediate_size",
                "num_hidden_layers",
                "num_attention_heads",
                "num_key_value_heads",
                "moe_intermediate_size",
                "num_experts",
                "num_experts_per_tok",
                "n_group",
                "topk_group",
                "max_position_embeddings",
                "block_length",
            ),
            COUNT,
        ),
        **dict.fromkeys(("first_k_dense_replace", "num_shared_experts"), SIZE),
        **dict.fromkeys(
            (
                "rms_norm_eps",
                "rope_theta",
                "partial_rotary_factor",
                "routed_scaling_factor",
                "initializer_range",
            ),
            NUMBER,
        ),
        "norm_topk_prob": FLAG,
        "head_dim": COUNT.or_null(),
    },
    neutral=frozenset(
        (
            *("sliding_window", "max_window_layers"),  # of a window that is off
            *("output_router_logits", "mtp_loss_scaling_factor"),  # of a training that is not ours
        )
    ),
    only={
        "hidden_act": ("silu",),
        "score_function": ("sigmoid",),
        "router_dtype": ("fp32", "float32"),
        "num_nextn_predict_layers": (0,),
        **dict.fromkeys(("use_qk_norm", "use_rmsnorm", "moe_router_enable_expert_bias"), (True,)),
        **dict.fromkeys(
            (
                "use_qkv_bias",
                "use_bias",
                "norm_head",
                "norm_softmax",
                "use_sliding_window",
                "using_split_qkv_in_self_attention",
                "multi_gate",
            ),
            (False,),
        ),
    },
    same={
        "rotary_dim": rotary_width,
        "moe_shared_expert_intermediate_size": lambda values: values["moe_intermediate_size"],
        "layer_types": lambda values: ["full_attention"] * values["num_hidden_layers"],
    },
    rules=(
        of_class("LLaDA2MoeModelLM"),
        Rule(
            "heads must turn in an even width, not wider than they are",
            ("hidden_size", "num_attention_heads", "head_dim", "partial_rotary_factor"),
            lambda values: rotary_width(values) % 2 == 0 and values["partial_rotary_factor"] <= 1,
        ),
        Rule(
            "every key head must serve as many query heads",
            ("num_attention_heads", "num_key_value_heads"),
            lambda values: values["num_attention_heads"] % values["num_key_value_heads"] == 0,
        ),
        Rule(
            "groups must be equal, and the chosen ones must hold as many experts as are chosen",
            ("num_experts", "n_group", "topk_group", "num_experts_per_tok"),
            fair_groups,
        ),
    ),
)
TOKENIZER = TokenizerKind(
    special={
        "bos": "<|startoftext|>",
        "eos": "<|endoftext|>",
        "mask": "<|mask|>",
        "role_end": "<|role_end|>",
    },
    end_of_turn="role_end",
    chat_template=(
        "{% for message in messages %}"
        "<role>{{ {'user': 'HUMAN', 'assistant': 'ASSISTANT', 'system': 'SYSTEM'}[message['role']] }}</role>"
        "{{ message['content'] }}<|role_end|>"
        "{% endfor %}<role>ASSISTANT</role>"
    ),
    turns=("<role>HUMAN</role>", "<role>ASSISTANT</role>"),
)
TINY = Tiny(
    special_ids={
        "<|startoftext|>": 156891,
        "<|endoftext|>": 156892,
        "<|mask|>": 156895,
        "<|role_end|>": 156900,
    },
    fields={
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "moe_intermediate_size": 16,
        "num_experts": 32,
        "num_experts_per_tok": 4,
    },
)
ARCHITECTURE = Architecture(
    name="llada2_moe",
    about="block-causal, a mixture of experts",
    classes=classes,
    tokenizer=TOKENIZER,
    sizes=sizes,
    micro=micro,
    lora_targets=(
        r".*(query_key_value|attention\.dense|shared_experts\.\w+_proj|layers\.\d+\.mlp\.\w+_proj|lm_head)"
    ),
    tiny=TINY,
    keys=KEYS,
)
