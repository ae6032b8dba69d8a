"""Fixtures of the training tests: tiny models of both architectures, and their tokenizers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from itertools import islice
from typing import Any

import pytest
import torch
from transformers import PreTrainedTokenizerBase

from xpflow.models.architectures import ARCHITECTURES
from xpflow.models.tokenizer import train_tokenizer
from xpflow.models.untrained import SpecialIds, micro_config, new_model
from xpflow.problems.micropy.dataset import training_pairs
from xpflow.training.examples import Example, OwnAnswers

TINY: dict[str, dict[str, Any]] = {
    "llada-micro": {"d_model": 32, "n_layers": 2, "n_heads": 2, "n_kv_heads": 2, "mlp_hidden_size": 48},
    "llada2-micro": {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 16,
        "moe_intermediate_size": 16,
        "num_experts": 4,
        "n_group": 2,
        "topk_group": 1,
        "block_length": 4,
    },
    "mdlm": {"hidden_dim": 32, "n_blocks": 2, "n_heads": 2, "cond_dim": 8, "initializer_range": 0.1},
}


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerBase:
    """Return a small LLaDA tokenizer."""
    return make_tokenizer("llada")


def make_tokenizer(architecture: str, vocab_size: int = 400) -> PreTrainedTokenizerBase:
    """Train a tokenizer on a few MicroPy texts."""
    texts = [text for pair in islice(training_pairs(0), 100) for text in pair]
    return train_tokenizer(ARCHITECTURES[architecture].tokenizer, texts, vocab_size)


@pytest.fixture(scope="session")
def make_model(tokenizer: PreTrainedTokenizerBase) -> Callable[..., Any]:
    """Return a factory of tiny random models by the name of a micro model, or of an architecture."""
    special = ARCHITECTURES["llada"].tokenizer.special
    tokens = {key: tokenizer.convert_tokens_to_ids(text) for key, text in special.items()}
    ids = SpecialIds(
        tokens["mask"], tokens["eos"], tokens["eos"], tokens["bos"], tokens["eot"], [tokens["mask"]]
    )

    def make(name: str, seed: int = 0) -> Any:
        kind = ARCHITECTURES[name] if name in set(ARCHITECTURES) else None
        config = (
            kind.config(**kind.micro(len(tokenizer)), **asdict(ids))
            if kind
            else micro_config(name, len(tokenizer), ids)
        )
        for field, value in TINY[name].items():
            setattr(config, field, value)
        return new_model(config, seed).eval()

    return make


@pytest.fixture(scope="session")
def data() -> OwnAnswers:
    """Return own answers of random tokens, and when each was decided: prompts of several lengths, N = 8."""
    generator = torch.Generator().manual_seed(0)

    def draw(count: int) -> tuple[int, ...]:
        return tuple(torch.randint(10, 22, (count,), generator=generator).tolist())

    order = torch.Generator().manual_seed(1)

    def steps() -> tuple[int, ...]:
        return tuple(torch.randint(5, (8,), generator=order).tolist())

    examples = [Example(draw(5 + i % 4), draw(8), steps()) for i in range(20)]
    return OwnAnswers(examples[:12], examples[12:16], examples[16:])
