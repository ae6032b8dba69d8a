"""Loading a model and its tokenizer, by name or from a folder."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from xpflow.errors import ModelLoadError
from xpflow.models.checkpoint import load_checkpoint
from xpflow.models.registry import model_folder
from xpflow.models.stored import read_json
from xpflow.models.tokenizer import complete_special_ids


def load_model(
    name_or_dir: str | Path, device: str | torch.device = "cpu", dtype: torch.dtype | None = torch.float32
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a model and its tokenizer by name, hub id or folder, in eval mode.

    `dtype` None keeps the stored precision.

    Raises:
        ModelLoadError: with what was wrong and what to do.
        HubError: a published model was not fetched.
    """
    folder = model_folder(name_or_dir)
    tokenizer = load_tokenizer(folder)
    model = load_checkpoint(folder, device, dtype)
    complete_special_ids(model.config, read_json(folder / "config.json"), tokenizer)
    return model, tokenizer


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
