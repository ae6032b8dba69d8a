"""Names of models: the two that ship with the package, and the published ones at a pinned revision.

Published weights are never fetched from here and never from a moving branch: they are found in the local hub
cache at the pinned revision, or the error says how to put them there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from huggingface_hub import snapshot_download
from transformers import PreTrainedModel, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from xpflow.errors import ModelLoadError, nearest
from xpflow.models.checkpoint import load_checkpoint

SHIPPED = Path(__file__).parent / "shipped"


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model that has a name; `revision` is the pinned hub commit, empty for a shipped model."""

    name: str
    description: str
    revision: str = ""


MODELS: dict[str, ModelEntry] = {
    entry.name: entry
    for entry in (
        ModelEntry("llada-micro", "LLaDA, 1 M parameters, trained on MicroPy; shipped"),
        ModelEntry("llada2-micro", "LLaDA2, 1 M parameters, trained on MicroPy; shipped"),
        ModelEntry(
            "GSAI-ML/LLaDA-8B-Instruct",
            "LLaDA 8B Instruct, as published",
            revision="08b83a6feb34df1a6011b80c3c00c7563e963b07",
        ),
        ModelEntry(
            "inclusionAI/LLaDA2.0-mini",
            "LLaDA2.0 mini, 16 B parameters, as published",
            revision="dad945cac317da394b390f82c7b40691d8a881ed",
        ),
    )
}


def load_model(
    name_or_dir: str | Path, device: str | torch.device = "cpu", dtype: torch.dtype | None = torch.float32
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a model and its tokenizer by name (a key of MODELS) or from a folder; the model is in eval mode.

    `dtype` None keeps the stored precision. Raises ModelLoadError with what was wrong and what to do.
    """
    folder = model_folder(name_or_dir)
    tokenizer = load_tokenizer(folder)
    return load_checkpoint(folder, device, dtype), tokenizer


def model_folder(name_or_dir: str | Path) -> Path:
    """Return the folder of a named model or the folder itself; a name of MODELS wins over a folder."""
    entry = MODELS.get(str(name_or_dir))
    if entry is not None:
        return _hub_folder(entry) if entry.revision else _shipped_folder(entry)
    if Path(name_or_dir).is_dir():
        return Path(name_or_dir)
    raise ModelLoadError(
        f"{str(name_or_dir)!r} is neither a known model nor a folder",
        hint=f"{nearest(str(name_or_dir), MODELS)} Any other model: give its folder.",
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


def _hub_folder(entry: ModelEntry) -> Path:
    try:
        return Path(snapshot_download(entry.name, revision=entry.revision, local_files_only=True))
    except (OSError, ValueError) as error:  # LocalEntryNotFoundError is one of them
        raise ModelLoadError(
            f"{entry.name} at revision {entry.revision[:12]} is not in the local hub cache",
            hint=f"fetch it once with `hf download {entry.name} --revision {entry.revision}`, "
            "or give the folder of a copy",
        ) from error
