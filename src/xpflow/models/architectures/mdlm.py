"""MDLM: a bidirectional diffusion transformer (mdlm-owt and its family); the model is in `models/mdlm.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from xpflow.models.architecture import Architecture, Sizes, Tiny, TokenizerKind
from xpflow.models.keys import COUNT, Keys, Rule, of_class

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

    from xpflow.models.layers import FeatureBlock

# The fields of the published config.json that decide sizes.
PUBLISHED: dict[str, Any] = {
    "vocab_size": 50258,
    "model_length": 1024,
    "hidden_dim": 768,
    "cond_dim": 128,
    "n_blocks": 12,
    "n_heads": 12,
}


def classes() -> tuple[type[PretrainedConfig], type[PreTrainedModel]]:
    """Return configuration and model."""
    from xpflow.models.mdlm import MDLM, MDLMConfig

    return MDLMConfig, MDLM


def block() -> type[FeatureBlock]:
    """Return what order heads are made of."""
    from xpflow.models.mdlm import MDLMFeatureBlock

    return MDLMFeatureBlock


def sizes(fields: Mapping[str, Any]) -> Sizes:
    """Return the sizes in a config.json."""
    values = {**PUBLISHED, **fields}
    heads, width = values["n_heads"], values["hidden_dim"]
    return Sizes(
        vocab=values["vocab_size"],
        width=width,
        layers=values["n_blocks"],
        heads=heads,
        kv_heads=heads,
        head_width=width // heads,
        inner=4 * width,
        conditioning=values["cond_dim"],
    )


def micro(vocab_size: int) -> dict[str, Any]:
    """Return the micro configuration: width 128, 4 blocks, 4 heads."""
    return {
        "vocab_size": vocab_size,
        "model_length": 512,
        "hidden_dim": 128,
        "cond_dim": 32,
        "n_blocks": 4,
        "n_heads": 4,
    }


KEYS = Keys(
    published=PUBLISHED,
    implemented=dict.fromkeys(PUBLISHED, COUNT),
    neutral=frozenset(
        (
            "dropout",  # of a training that is not ours
            "scale_by_sigma",  # upstream sets it, and its transformer does not read it
        )
    ),
    only={
        "time_conditioning": (False,),
        "block_length": (),
        "causal": (False,),
        "mlp_ratio": (4,),
    },
    same={
        "hidden_size": lambda values: values["hidden_dim"],
        "num_hidden_layers": lambda values: values["n_blocks"],
        "num_attention_heads": lambda values: values["n_heads"],
        "max_position_embeddings": lambda values: values["model_length"],
    },
    rules=(
        of_class("MDLM"),
        Rule(
            "heads must have one even width",
            ("hidden_dim", "n_heads"),
            lambda values: values["hidden_dim"] % (2 * values["n_heads"]) == 0,
        ),
    ),
)
# GPT-2's tokens, and the mask that upstream puts behind them. Models of the family with another tokenizer
# (LM1B: bert-base-uncased) name theirs in its own files.
TOKENIZER = TokenizerKind(
    special={"bos": "<|endoftext|>", "eos": "<|endoftext|>", "mask": "[MASK]"},
    end_of_turn="eos",
    chat_template=(
        "{{ bos_token }}{% for message in messages %}{{ message['content'] | trim }}{{ '\n\n' }}{% endfor %}"
    ),
    turns=("", ""),
    appended_mask=True,
)
TINY = Tiny(
    special_ids={"<|endoftext|>": 50256, "[MASK]": 50257},
    fields={"hidden_dim": 32, "cond_dim": 8, "n_blocks": 2, "n_heads": 2, "initializer_range": 0.5},
    dtype="float32",
    sharded=False,
)
ARCHITECTURE = Architecture(
    name="mdlm",
    about="a diffusion transformer, bidirectional",
    classes=classes,
    tokenizer=TOKENIZER,
    sizes=sizes,
    micro=micro,
    lora_targets=r".*\.(attn_qkv|attn_out|mlp\.[02]|adaLN_modulation|linear)",
    tiny=TINY,
    block=block,
    keys=KEYS,
)
