"""What the result of a training depends on, as a saved state holds it, and what of that differs.

A state may be resumed only by the training that wrote it. Its guard holds everything that changes a number of
the result: weights, configuration and tokenizer of the model that it starts from, data and problems by their
content, settings of objective and optimizer, precision, code. What changes rounding only, or nothing (number
of processes, micro-batches, how often states are saved, where files lie), is no part of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from xpflow.errors import ArtifactError

if TYPE_CHECKING:
    from xpflow.problems.problem import Problem

SHOWN = 8  # differences that an error names
ABSENT = "nothing"


def model_facts(model: Any, tokenizer: Any | None = None) -> dict[str, Any]:
    """Return what identifies a loaded model: its weights and tokenizer by hash, its configuration."""
    found = {"weights": weights_sha256(model), "config": config_facts(model)}
    return found if tokenizer is None else {**found, "tokenizer": tokenizer_sha256(tokenizer)}


def config_facts(model: Any) -> dict[str, Any]:
    """Return a model's configuration, without what says only who wrote it."""
    config = model.config.to_dict()
    return {key: value for key, value in config.items() if key[0] != "_" and key != "transformers_version"}


def weights_sha256(module: nn.Module) -> str:
    """Return the hash of a module's names, types, shapes and values."""
    found = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        found.update(_bytes(tensor))
    return found.hexdigest()


def _bytes(tensor: Tensor) -> Any:
    """Return what a tensor holds as something to hash: numpy knows integers of every size, not bfloat16."""
    whole_numbers = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
    flat = tensor.detach().cpu().contiguous().flatten()
    return flat.view(whole_numbers[flat.element_size()]).numpy() if flat.numel() else b""


def tokenizer_sha256(tokenizer: Any) -> str:
    """Return the hash of a tokenizer: what it makes of texts, and its chat template."""
    parts = json.loads(tokenizer.backend_tokenizer.to_str())
    for padded in ("padding", "truncation"):  # how it was called last
        parts.pop(padded, None)
    return sha256_of([parts, tokenizer.chat_template, tokenizer.special_tokens_map])


def problems_facts(problems: Sequence[Problem]) -> dict[str, Any]:
    """Return what identifies problems: their number, and the hash of all their fields, in their order."""
    return {"count": len(problems), "content": sha256_of([asdict(problem) for problem in problems])}


def sha256_of(value: Any) -> str:
    """Return the hash of a value as JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def require_same(found: Any, wanted: str, path: Path) -> None:
    """Raise ArtifactError that names what differs, unless a state at `path` was written under our guard.

    Args:
        found: the guard in the state, as JSON (anything else is none of ours). wanted: ours.
    """
    if found == wanted:
        return
    theirs, ours = _parsed(found), dict(_leaves(json.loads(wanted)))
    wrong = [key for key in {**ours, **theirs} if theirs.get(key, ABSENT) != ours.get(key, ABSENT)]
    named = [f"{key} ({_shown(theirs, key)} there, {_shown(ours, key)} here)" for key in wrong[:SHOWN]]
    more = [f"and {len(wrong) - SHOWN} more"] if len(wrong) > SHOWN else []
    raise ArtifactError(
        f"{path} is the state of another training: {', '.join([*named, *more])}",
        hint="it is left as it is. To resume it, start with what it was made with; "
        f"to start over, give another folder or remove it: rm -r {path}",
    )


def _parsed(found: Any) -> dict[str, Any]:
    try:
        return dict(_leaves(json.loads(found)))
    except (TypeError, ValueError):
        return {}


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of nested mappings under dotted keys."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaves(inner, f"{key}.{name}" if key else str(name))
    else:
        yield key, value


def _shown(values: Mapping[str, Any], key: str) -> str:
    text = str(values.get(key, ABSENT))
    return text if len(text) <= 24 else f"{text[:12]}..."
