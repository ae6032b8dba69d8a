"""What a model's config.json says of its alignment: whether a training run has aligned it, and how.

The key `xpflow_alignment` holds an object: `objective`, `run`, `updates`, `base` (the hash of the weights
that the run started from, see `weights_sha256`), `everywhere` (whether tokens that stand had a loss, not
masks alone) and `after`, the same of the run before where there was one. Nothing is computed from it.
Weights of older versions lack the key, or `everywhere`, though they may have been aligned.
"""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from xpflow.artifacts.io import remembered_sha256
from xpflow.errors import ModelLoadError
from xpflow.models.keys import ALIGNMENT
from xpflow.models.registry import MODELS, architecture_name
from xpflow.models.stored import find_tensors, read_json

CAUSAL = "causal"  # the objective whose models read no masks


def alignment_of(folder: str | Path) -> dict[str, Any] | None:
    """Return what a model folder says of its alignment; None where it says nothing, or is no such folder."""
    try:
        said = read_json(Path(folder) / "config.json").get(ALIGNMENT)
    except ModelLoadError:
        return None
    return said if isinstance(said, dict) and said else None


def alignment(objective: str, run: str, updates: int, start: str | Path, everywhere: bool) -> dict[str, Any]:
    """Return what the weights of a run say of it; `start`: the folder of those that it started from."""
    base = weights_sha256(start)
    said = {"objective": objective, "run": run, "updates": updates, "base": base, "everywhere": everywhere}
    before = alignment_of(start)
    return {**said, "after": before} if before else said


def reads_embeddings(said: dict[str, Any] | None) -> bool:
    """Return whether weights that say this were trained beside masks too, in any of their runs."""
    if not said:
        return False
    return said.get("everywhere", True) is not False or reads_embeddings(said.get("after"))


def weights_sha256(folder: str | Path) -> str:
    """Return the SHA-256 of a folder's weights: of its one file, or of the JSON {name: hash} of shards."""
    files = sorted({tensor.file for tensor in find_tensors(folder).values()})
    hashes = {file.name: remembered_sha256(file) for file in files}
    if len(files) == 1:
        return hashes[files[0].name]
    return sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest()


def aligned_models(like: str | Path) -> list[str]:
    """Return the shipped models of the architecture of `like` that were aligned for embeddings."""
    kind = architecture_name(like)
    shipped = [entry for entry in MODELS.values() if entry.repo is None and entry.architecture == kind]
    return [entry.name for entry in shipped if reads_embeddings(alignment_of(entry.shipped_folder))]
