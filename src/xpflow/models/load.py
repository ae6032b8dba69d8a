"""Loading a model and its tokenizer, by name or from a folder."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from xpflow.errors import ModelLoadError
from xpflow.models.aligned import CAUSAL, alignment_of
from xpflow.models.architectures import ARCHITECTURES
from xpflow.models.byte_pairs import is_byte_pairs, read_byte_pairs
from xpflow.models.checkpoint import load_checkpoint, read_config
from xpflow.models.extra import find_extra
from xpflow.models.registry import architecture_name, model_folder, tokenizer_folder
from xpflow.models.stored import read_json
from xpflow.models.tokenizer import (
    name_special_tokens,
    newline_ids,
    require_template_tokens,
    require_whole_tokens,
    special_ids,
)


def load_model(
    name_or_dir: str | Path,
    device: str | torch.device = "cpu",
    dtype: torch.dtype | None = torch.float32,
    *,
    causal_too: bool = False,
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a model and its tokenizer by name, hub id or folder, in eval mode.

    `dtype` None keeps the stored precision. A causal model has the layout of a masked one and never saw a
    mask: only a training that starts from it may have it (`causal_too`).

    Raises:
        ModelLoadError: with what was wrong and what to do.
        HubError: a published model was not fetched.
    """
    folder = model_folder(name_or_dir)
    said = None if causal_too else alignment_of(folder)
    if said is not None and said.get("objective") == CAUSAL:
        raise ModelLoadError(f"{folder} holds a causal model, which reads no masks", hint="name a masked one")
    tokenizer = named_tokenizer(name_or_dir)
    special = special_ids(read_config(folder), read_json(folder / "config.json"), tokenizer)
    model = load_checkpoint(folder, device, dtype)
    for key, value in special.items():
        setattr(model.config, key, value)
    model.newline_token_ids = newline_ids(tokenizer)  # type: ignore[assignment]  # of decoders that end at lines
    model.objective_file = find_extra(folder)  # type: ignore[assignment]  # of decoders that need its modules
    return model, tokenizer


def named_tokenizer(name_or_dir: str | Path) -> PreTrainedTokenizerBase:
    """Load a model's tokenizer by name, hub id or folder, also where it was published elsewhere.

    Raises:
        as `load_model`.
    """
    return load_tokenizer(tokenizer_folder(name_or_dir), architecture_name(name_or_dir))


def load_tokenizer(folder: str | Path, kind: str | None = None) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a folder from its own files, without remote code.

    Special tokens that no file of the folder names are those of the architecture, `kind` or the folder's own.
    A folder that is another model's has no chat template for this one, and gets the architecture's.

    Raises:
        ModelLoadError: there is none, it cannot be read, or its chat template needs a token that it lacks.
    """
    own = architecture_name(folder)
    kind = kind or own
    tokenizer = _stored_tokenizer(Path(folder), kind)
    if kind in set(ARCHITECTURES):
        name_special_tokens(tokenizer, ARCHITECTURES[kind].tokenizer, _named_in(Path(folder)))
        require_whole_tokens(tokenizer, ARCHITECTURES[kind].tokenizer, folder)
        if own != kind and not tokenizer.chat_template:
            tokenizer.chat_template = ARCHITECTURES[kind].tokenizer.chat_template
    require_template_tokens(tokenizer, _named_in(Path(folder)), folder)
    return tokenizer


def _stored_tokenizer(folder: Path, kind: str | None) -> PreTrainedTokenizerBase:
    """Read tokenizer.json, or vocab.json and merges.txt of a family that was published so."""
    if is_byte_pairs(folder) and kind in set(ARCHITECTURES):
        return read_byte_pairs(folder, ARCHITECTURES[kind].tokenizer)
    if not (folder / "tokenizer.json").exists():
        raise ModelLoadError(
            f"{folder}: no tokenizer.json",
            hint="a model folder holds config.json, the weights and tokenizer.json",
        )
    try:
        found: PreTrainedTokenizerBase = PreTrainedTokenizerFast.from_pretrained(folder)
    except Exception as error:  # the tokenizers library raises bare Exceptions
        raise ModelLoadError(f"{folder}: the tokenizer cannot be read: {error}") from error
    return found


def _named_in(folder: Path) -> set[str]:
    """Return the keys of the files that name special tokens: what they leave out, nobody has decided."""
    files = [folder / name for name in ("tokenizer_config.json", "special_tokens_map.json")]
    return {key for file in files if file.is_file() for key in read_json(file)}
