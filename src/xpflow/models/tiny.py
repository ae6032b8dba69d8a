"""Random checkpoints in the published layout, small enough for a CPU: the sizes shrink, nothing else.

File names, tensor names, shards, token ids and the number of rows of the embedding are those of
LLaDA-8B-Instruct and LLaDA2.0-mini; widths and depths are tiny and every weight is drawn at random. They run
the paper's study from end to end where no published weight is at hand. Their answers mean nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer
from transformers import PretrainedConfig, PreTrainedTokenizerFast

from xpflow.errors import ModelLoadError, nearest
from xpflow.models.checkpoint import save_checkpoint
from xpflow.models.llada import LLaDAConfig
from xpflow.models.llada2 import LLaDA2MoeConfig
from xpflow.models.micro import new_model
from xpflow.models.tokenizer import SPECIAL_TOKENS, Family, as_published, micropy_texts, train_tokenizer

SHARD_BYTES = 8_000_000
WORDS = 1024  # trained entries of a tokenizer; the rest of its vocabulary is never produced


@dataclass(frozen=True, slots=True)
class TinyModel:
    """A published model in small: family of its tokenizer, ids of its special tokens, configuration."""

    family: Family
    special_ids: dict[str, int]
    config: PretrainedConfig


def tiny_models() -> dict[str, TinyModel]:
    """Return the tiny models by the name of the published one."""
    return {
        "llada-8b-instruct": TinyModel(
            "llada",
            {
                "<|startoftext|>": 126080,
                "<|endoftext|>": 126081,
                "<|mdm_mask|>": 126336,
                "<|start_header_id|>": 126346,
                "<|end_header_id|>": 126347,
                "<|eot_id|>": 126348,
            },
            LLaDAConfig(
                vocab_size=126464,
                embedding_size=126464,
                d_model=32,
                n_layers=2,
                n_heads=2,
                n_kv_heads=2,
                mlp_hidden_size=64,
                init_std=1.0,
            ),
        ),
        "llada2.0-mini": TinyModel(
            "llada2",
            {
                "<|startoftext|>": 156891,
                "<|endoftext|>": 156892,
                "<|mask|>": 156895,
                "<|role_end|>": 156900,
            },
            LLaDA2MoeConfig(
                hidden_size=32,
                intermediate_size=64,
                num_hidden_layers=3,
                num_attention_heads=4,
                num_key_value_heads=2,
                head_dim=16,
                moe_intermediate_size=16,
                num_experts=32,
                num_experts_per_tok=4,
            ),
        ),
    }


def write_tiny_model(
    name: str, folder: str | Path, seed: int = 0, dtype: torch.dtype = torch.bfloat16
) -> None:
    """Write the tiny model `name` (a key of `tiny_models`) and its tokenizer, in shards as on the hub."""
    known = tiny_models()
    if name not in known:
        raise ModelLoadError(f"no published model named {name!r}", hint=nearest(name, known))
    tiny = known[name]
    model = new_model(tiny.config, seed)
    torch.nn.Module.to(model, dtype)
    tokenizer = published_tokenizer(tiny.family, tiny.special_ids, micropy_texts(tiny.family, 2000))
    save_checkpoint(model, tokenizer, folder, SHARD_BYTES)


def published_tokenizer(
    family: Family, special_ids: dict[str, int], texts: Iterable[str]
) -> PreTrainedTokenizerFast:
    """Train a small tokenizer whose special tokens have the published ids; filler entries stand between."""
    trained = train_tokenizer(family, texts, WORDS)
    parts = json.loads(trained.backend_tokenizer.to_str())
    words = [word for word in parts["model"]["vocab"] if word not in SPECIAL_TOKENS[family].values()]
    names = {number: word for word, number in special_ids.items()}
    vocabulary = words + [f"<unused {number}>" for number in range(len(words), max(names) + 1)]
    vocabulary = [names.get(number, word) for number, word in enumerate(vocabulary)]
    parts["model"]["vocab"] = {word: number for number, word in enumerate(vocabulary)}
    parts["added_tokens"] = []
    tokenizer = Tokenizer.from_str(json.dumps(parts))
    tokenizer.add_special_tokens([AddedToken(word, special=True) for word in special_ids])
    return as_published(tokenizer, family)
