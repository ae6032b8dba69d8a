"""The model of a world, as its architecture's configuration: ids are the world's, special tokens behind."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from xpflow.microtext import ARCHITECTURE
from xpflow.microtext.tokenizer import special_ids, special_words
from xpflow.microtext.world import World

if TYPE_CHECKING:
    from transformers import PretrainedConfig


def config_of(world: World, width: int, layers: int, heads: int) -> PretrainedConfig:
    """Return the configuration of a bidirectional transformer for a world's sentences."""
    from xpflow.models.architectures import ARCHITECTURES

    size = world.size + len(special_words(world))
    return ARCHITECTURES[ARCHITECTURE].config(
        vocab_size=size,
        embedding_size=size,
        d_model=width,
        n_layers=layers,
        n_heads=heads,
        n_kv_heads=heads,
        mlp_hidden_size=3 * width,
        max_sequence_length=16 * (world.length // 16 + 1),
        init_std=width**-0.5,
        **asdict(special_ids(world)),
    )
