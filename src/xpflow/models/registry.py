"""Names of models: the two that ship with the package, and the published ones at a pinned revision.

Published weights are never fetched from here and never from a moving branch: they are found in the local hub
cache at the pinned revision, or the error says how to put them there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from xpflow.errors import ModelLoadError, nearest
from xpflow.hub.catalogue import HUB_MODELS, HubRepo, hub_model
from xpflow.hub.snapshot import local_snapshot
from xpflow.models.checkpoint import load_checkpoint
from xpflow.models.special_ids import complete_special_ids
from xpflow.models.stored import read_json

SHIPPED = Path(__file__).parent / "shipped"


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model that has a name; `repo` is where it was published, None for a shipped model."""

    name: str
    description: str
    repo: HubRepo | None = None


MODELS: dict[str, ModelEntry] = {
    entry.name: entry
    for entry in (
        ModelEntry("llada-micro", "LLaDA, 1 M parameters, trained on MicroPy; shipped"),
        ModelEntry("llada2-micro", "LLaDA2, 1 M parameters, trained on MicroPy; shipped"),
        *(ModelEntry(repo.name, repo.about, repo) for repo in HUB_MODELS.values()),
    )
}


def load_model(
    name_or_dir: str | Path, device: str | torch.device = "cpu", dtype: torch.dtype | None = torch.float32
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a model and its tokenizer by name (a key of MODELS, or a hub id) or from a folder, in eval mode.

    `dtype` None keeps the stored precision. Raises ModelLoadError with what was wrong and what to do, and
    HubError when a published model was not fetched.
    """
    folder = model_folder(name_or_dir)
    tokenizer = load_tokenizer(folder)
    model = load_checkpoint(folder, device, dtype)
    complete_special_ids(model.config, read_json(folder / "config.json"), tokenizer)
    return model, tokenizer


def model_folder(name_or_dir: str | Path) -> Path:
    """Return the folder of a named model or the folder itself; a known name wins over a folder."""
    repo = hub_model(str(name_or_dir))
    if repo is not None:
        return local_snapshot(repo)
    if str(name_or_dir) in MODELS:
        return _shipped_folder(MODELS[str(name_or_dir)])
    if Path(name_or_dir).is_dir():
        return Path(name_or_dir)
    names = [*MODELS, *(entry.hub_id for entry in HUB_MODELS.values())]
    raise ModelLoadError(
        f"{str(name_or_dir)!r} is neither a known model nor a folder",
        hint=f"{nearest(str(name_or_dir), names)} Any other model: give its folder.",
    )


def load_tokenizer(folder: str | Path) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a model folder from its own files, without remote code."""
    if not (Path(folder) / "tokenizer.json").exists():
        raise ModelLoadError(
            f"{folder}: no tokenizer.json",
            hint="a model folder holds config.json, the weights and tokenizer.json",
        )
    try:
        tokenizer: PreTrainedTokenizerBase = PreTrainedTokenizerFast.from_pretrained(folder)
    except Exception as error:  # the tokenizers library raises bare Exceptions
        raise ModelLoadError(f"{folder}: the tokenizer cannot be read: {error}") from error
    return tokenizer


def _shipped_folder(entry: ModelEntry) -> Path:
    folder = SHIPPED / entry.name
    if not folder.is_dir():
        raise ModelLoadError(
            f"the shipped weights of {entry.name} are not installed (looked in {folder})",
            hint="reinstall xpflow, or train them again with the rule `pretrain`",
        )
    return folder
