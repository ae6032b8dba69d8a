"""Models before any training: micro models, and tiny random checkpoints in the published layout.

A micro model has about a million parameters, small enough to train and decode on one CPU core; every
mechanism of the large model is kept, only sizes shrink. A tiny checkpoint is a published model of which only
widths and depths shrink: file names, tensor names, shards, token ids and rows of the embedding are the
published ones, every weight is drawn at random. Tiny ones run the paper's study from end to end where no
published weights are at hand; their answers mean nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer
from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerFast

from xpflow.errors import ConfigError, ModelLoadError, nearest
from xpflow.models.architecture import Architecture, TokenizerKind
from xpflow.models.architectures import ARCHITECTURES
from xpflow.models.checkpoint import save_checkpoint
from xpflow.models.registry import MICRO_NAMES, MODELS, TRAINABLE, ModelEntry
from xpflow.models.tokenizer import as_published, train_tokenizer

SHARD_BYTES = 8_000_000
WORDS = 1024  # trained entries of a tiny tokenizer; the rest of its vocabulary is never produced


@dataclass(frozen=True, slots=True)
class SpecialIds:
    """Token ids that a configuration must know; decoders never produce `suppress_token_ids`."""

    mask_token_id: int
    eos_token_id: int
    pad_token_id: int
    bos_token_id: int | None = None
    eot_token_id: int | None = None
    suppress_token_ids: list[int] = field(default_factory=list)


def architecture_of_micro(name: str) -> Architecture:
    """Return the architecture of a micro model.

    Raises:
        ConfigError: there is no micro model of that name.
    """
    return ARCHITECTURES[_micro_entry(name).architecture]


def _micro_entry(name: str) -> ModelEntry:
    """Return the entry of a model that is trained from random weights, whether it ships or not."""
    entries = {**TRAINABLE, **{micro: MODELS[micro] for micro in MICRO_NAMES}}
    if name not in entries:
        raise ConfigError(f"no micro model named {name!r}", hint=nearest(name, entries))
    return entries[name]


def micro_config(name: str, vocab_size: int, ids: SpecialIds) -> PretrainedConfig:
    """Return the configuration of a micro model; raises ConfigError for an unknown name."""
    architecture = architecture_of_micro(name)
    fields = {**architecture.micro(vocab_size), **_micro_entry(name).fields}
    return architecture.config(**fields, **asdict(ids))


def new_model(config: PretrainedConfig, seed: int) -> PreTrainedModel:
    """Build a model with weights drawn from `seed`; the global random state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ARCHITECTURES[config.model_type].build(config)


def tiny_models() -> dict[str, Architecture]:
    """Return the architectures of the published models that there is a tiny one of, by the model's name."""
    published = {name: ARCHITECTURES[entry.architecture] for name, entry in MODELS.items() if entry.repo}
    return {name: architecture for name, architecture in published.items() if architecture.tiny}


def write_tiny_model(name: str, folder: str | Path, pairs: Iterable[tuple[str, str]], seed: int = 0) -> None:
    """Write the tiny model `name` (a key of `tiny_models`) in the precision and the shards of the hub.

    Its tokenizer is trained on `pairs` of request and answer.
    """
    known = tiny_models()
    if name not in known:
        raise ModelLoadError(f"no published model named {name!r}", hint=nearest(name, known))
    architecture = known[name]
    assert architecture.tiny is not None
    model = new_model(architecture.config(**architecture.tiny.fields), seed)
    torch.nn.Module.to(model, getattr(torch, architecture.tiny.dtype))
    tokenizer = published_tokenizer(architecture.tokenizer, architecture.tiny.special_ids, pairs)
    save_checkpoint(model, tokenizer, folder, SHARD_BYTES if architecture.tiny.sharded else None)


def published_tokenizer(
    kind: TokenizerKind, special_ids: Mapping[str, int], pairs: Iterable[tuple[str, str]]
) -> PreTrainedTokenizerFast:
    """Train a small tokenizer whose special tokens have the published ids; filler entries stand between."""
    trained = train_tokenizer(kind, kind.training_texts(pairs), WORDS)
    parts = json.loads(trained.backend_tokenizer.to_str())
    words = [word for word in parts["model"]["vocab"] if word not in kind.special.values()]
    names = {number: word for word, number in special_ids.items()}
    vocabulary = words + [f"<unused {number}>" for number in range(len(words), max(names) + 1)]
    vocabulary = [names.get(number, word) for number, word in enumerate(vocabulary)]
    parts["model"]["vocab"] = {word: number for number, word in enumerate(vocabulary)}
    parts["added_tokens"] = []
    tokenizer = Tokenizer.from_str(json.dumps(parts))
    tokenizer.add_special_tokens([AddedToken(word, special=True) for word in special_ids])
    return as_published(tokenizer, kind)
