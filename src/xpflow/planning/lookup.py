"""Which architecture a model of a study has: from its folder's config.json, or by a published name."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from xpflow.errors import ConfigError, nearest
from xpflow.planning.architecture import Architecture
from xpflow.study.config.inputs import ModelChoice
from xpflow.study.fingerprints import MODELS as SHIPPED

# The fields of the published config.json files that decide sizes.
LLADA_8B: dict[str, Any] = {
    "vocab_size": 126464,
    "d_model": 4096,
    "n_layers": 32,
    "n_heads": 32,
    "mlp_hidden_size": 12288,
}
LLADA2_MINI: dict[str, Any] = {
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
    "block_length": 32,
}


def _dense(fields: Mapping[str, Any]) -> Architecture:
    values = {**LLADA_8B, **fields}
    heads, width = values["n_heads"], values["d_model"]
    return Architecture(
        vocab=values.get("embedding_size") or values["vocab_size"],
        width=width,
        layers=values["n_layers"],
        heads=heads,
        kv_heads=values.get("n_kv_heads") or heads,
        head_width=width // heads,
        inner=values["mlp_hidden_size"] or values.get("mlp_ratio", 4) * width,
        block_length=values.get("block_length") or 0,
    )


def _mixture(fields: Mapping[str, Any]) -> Architecture:
    values = {**LLADA2_MINI, **fields}
    heads, width = values["num_attention_heads"], values["hidden_size"]
    return Architecture(
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


KINDS: dict[str, Callable[[Mapping[str, Any]], Architecture]] = {"llada": _dense, "llada2_moe": _mixture}
PUBLISHED = {"llada-8b-instruct": _dense({}), "llada2.0-mini": _mixture({})}


def architecture_of(choice: ModelChoice) -> Architecture:
    """Return a model's sizes; a published name counts with or without its owner, in any case.

    The folder that `directory` names wins where it has a config.json; a plan is often made on another machine
    than the study runs on, so a folder that is absent here is no error for a published name. Raises
    ConfigError.
    """
    for folder in (Path(choice.directory) if choice.directory else None, SHIPPED / choice.name):
        if folder is not None and (folder / "config.json").is_file():
            return read_architecture(folder / "config.json")
    name = choice.name.rpartition("/")[2].lower()
    if name in PUBLISHED:
        return PUBLISHED[name]
    raise ConfigError(
        f"models[{choice.name}]: the sizes of this model are not known",
        hint=f"name a `directory` with a config.json on this machine; {nearest(name, PUBLISHED)}",
    )


def read_architecture(path: Path) -> Architecture:
    """Return the sizes in a config.json; raises ConfigError when it is of neither architecture."""
    try:
        fields = dict(json.loads(path.read_text(encoding="utf-8")))
        kind = str(fields.get("model_type"))
        if kind in KINDS:
            return KINDS[kind](fields)
    except (OSError, TypeError, ValueError, KeyError) as error:
        raise ConfigError(f"{path}: no sizes can be read from it ({error})") from error
    raise ConfigError(f"{path}: unknown model_type {kind!r}", hint=nearest(kind, KINDS))
