"""Tokenizers that were published as vocab.json and merges.txt, without a tokenizer.json: byte-level BPE.

Dream's repositories hold these two files, their added tokens in tokenizer_config.json (or added_tokens.json),
and a Python class that is not run here. The family says what the class did before merging
(`TokenizerKind.words`): Unicode's NFC, then a pattern that cuts a text into words; merges never cross them.
The rest is what the files say. An added token must have the id that its file states.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from xpflow.artifacts.io import read_text
from xpflow.errors import ModelLoadError
from xpflow.models.architecture import TokenizerKind
from xpflow.models.stored import read_json

VOCABULARY, MERGES = "vocab.json", "merges.txt"
_CONFIG, _ADDED, _TEMPLATE = "tokenizer_config.json", "added_tokens.json", "chat_template.jinja"
_KEPT = ("normalized", "lstrip", "rstrip", "single_word")


def is_byte_pairs(folder: Path) -> bool:
    """Return whether a folder holds a tokenizer of this kind, and no tokenizer.json."""
    return not (folder / "tokenizer.json").exists() and all(
        (folder / name).is_file() for name in (VOCABULARY, MERGES)
    )


def read_byte_pairs(folder: Path, kind: TokenizerKind) -> PreTrainedTokenizerFast:
    """Build the tokenizer of a folder; special tokens have the roles that tokenizer_config.json names.

    Raises:
        ModelLoadError: the family has no pattern for words, a file is not what it should be, or an added
            token would get another id than its own.
    """
    if not kind.words:
        raise ModelLoadError(
            f"{folder}: {VOCABULARY} and {MERGES} do not say how a text is cut into words",
            hint="put the tokenizer.json of this tokenizer beside them",
        )
    tokenizer = _merging(folder)
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(kind.words), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    fields = read_json(folder / _CONFIG) if (folder / _CONFIG).is_file() else {}
    for number, token in sorted(_added(folder, fields, kind).items()):
        tokenizer.add_tokens([token])
        if tokenizer.token_to_id(token.content) != number:
            raise ModelLoadError(
                f"{folder}: the added token {token.content!r} has the id {number} there,"
                f" and {tokenizer.token_to_id(token.content)} behind {VOCABULARY}",
                hint="all files of a tokenizer must come from the same model and revision",
            )
    roles = {key: _text(value) for key, value in fields.items() if key.endswith("_token") and value}
    wrapped = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, clean_up_tokenization_spaces=False, **roles
    )
    template = folder / _TEMPLATE
    wrapped.chat_template = read_text(template) if template.is_file() else fields.get("chat_template")
    return wrapped


def _merging(folder: Path) -> Tokenizer:
    """Return the bare tokenizer of vocabulary and merges."""
    lines = read_text(folder / MERGES).split("\n")
    pairs = [tuple(line.rstrip("\r").split(" ")) for line in lines if line.strip() and line[:8] != "#version"]
    if wrong := next((pair for pair in pairs if len(pair) != 2), None):
        raise ModelLoadError(f"{folder / MERGES}: {' '.join(wrong)!r} is no pair of tokens")
    try:
        return Tokenizer(models.BPE(read_json(folder / VOCABULARY), pairs))  # type: ignore[arg-type]
    except Exception as error:  # the tokenizers library raises bare Exceptions
        raise ModelLoadError(f"{folder}: {VOCABULARY} and {MERGES} do not fit ({error})") from error


def _added(folder: Path, fields: Mapping[str, Any], kind: TokenizerKind) -> dict[int, AddedToken]:
    """Return the tokens behind the vocabulary by their ids."""
    try:
        if stated := fields.get("added_tokens_decoder"):
            return {int(number): _token(entry) for number, entry in stated.items()}
        others = read_json(folder / _ADDED) if (folder / _ADDED).is_file() else {}
        special = kind.special.values()
        return {
            int(number): AddedToken(text, special=text in special, normalized=False)
            for text, number in others.items()
        }
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ModelLoadError(f"{folder}: the added tokens cannot be read ({error!r})") from error


def _token(entry: Mapping[str, Any]) -> AddedToken:
    kept = {key: bool(entry[key]) for key in _KEPT if key in entry}
    return AddedToken(str(entry["content"]), special=bool(entry.get("special", False)), **kept)


def _text(value: Any) -> str:
    """Return the text of a token that is named as such or as an object."""
    return str(value["content"] if isinstance(value, dict) else value)
