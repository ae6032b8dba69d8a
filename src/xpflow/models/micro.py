"""Micro configurations of both architectures: small enough to train and decode on one CPU core.

Every mechanism of the large models is kept (grouped routing, shared expert, QK norm, partial rotary, untied
heads); only sizes shrink. Each has about a million parameters.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import torch
from transformers import PretrainedConfig, PreTrainedModel

from xpflow.errors import ConfigError, nearest
from xpflow.models.llada import LLaDAConfig, LLaDAModelLM
from xpflow.models.llada2 import LLaDA2MoeConfig, LLaDA2MoeModelLM

MICRO_NAMES = ("llada-micro", "llada2-micro")


@dataclass(frozen=True, slots=True)
class SpecialIds:
    """Token ids that a configuration must know; decoders never produce `suppress_token_ids`."""

    mask_token_id: int
    eos_token_id: int
    pad_token_id: int
    bos_token_id: int | None = None
    eot_token_id: int | None = None
    suppress_token_ids: list[int] = field(default_factory=list)


def llada_micro_config(vocab_size: int, ids: SpecialIds) -> LLaDAConfig:
    """Return the dense micro configuration: width 128, 4 layers, 4 heads."""
    return LLaDAConfig(
        vocab_size=vocab_size,
        embedding_size=vocab_size,
        d_model=128,
        n_layers=4,
        n_heads=4,
        n_kv_heads=4,
        mlp_hidden_size=384,
        max_sequence_length=512,
        init_std=128**-0.5,  # the embeddings' scale; with 0.02 copying of names was learned late
        **asdict(ids),
    )


def llada2_micro_config(vocab_size: int, ids: SpecialIds) -> LLaDA2MoeConfig:
    """Return the mixture-of-experts micro configuration: 8 experts in 4 groups, 2 active, blocks of 16."""
    return LLaDA2MoeConfig(
        vocab_size=vocab_size,
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,
        moe_intermediate_size=64,
        num_experts=8,
        num_experts_per_tok=2,
        n_group=4,
        topk_group=2,
        rope_theta=10000.0,
        max_position_embeddings=512,
        block_length=16,
        **asdict(ids),
    )


def micro_config(name: str, vocab_size: int, ids: SpecialIds) -> PretrainedConfig:
    """Return the configuration called `name` (one of MICRO_NAMES)."""
    if name not in MICRO_NAMES:
        raise ConfigError(f"no micro configuration named {name!r}", hint=nearest(name, MICRO_NAMES))
    return (llada_micro_config if name == "llada-micro" else llada2_micro_config)(vocab_size, ids)


def new_model(config: PretrainedConfig, seed: int) -> PreTrainedModel:
    """Build a model with weights drawn from `seed`; the global random state is left as it was."""
    classes: dict[str, type[PreTrainedModel]] = {"llada": LLaDAModelLM, "llada2_moe": LLaDA2MoeModelLM}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return classes[config.model_type](config)
