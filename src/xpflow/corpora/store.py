"""Rows of token ids on disk: written once as one stream, read at random, in an order by a seed.

A folder holds `tokens.bin`, little-endian ids of all rows one behind the other (16 bits where the vocabulary
fits, with the largest number behind the end of a short row), and `corpus.json` with what made them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from xpflow.artifacts.io import atomic_write_text, atomic_writer, json_once, read_text, sha256_file
from xpflow.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

AGAIN = "pack the corpus again"
COUNTS = ("rows", "length", "vocabulary")
TOKENS, ABOUT = "tokens.bin", "corpus.json"


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a folder.

    Args:
        ids_NL: the ids, short rows filled up. about: what made them.
    """

    folder: Path
    ids_NL: np.ndarray[Any, np.dtype[Any]]
    about: Mapping[str, Any]

    @property
    def length(self) -> int:
        """Return L."""
        return int(self.ids_NL.shape[1])

    def __len__(self) -> int:
        return int(self.ids_NL.shape[0])

    def row(self, number: int) -> tuple[int, ...]:
        """Return the ids of a row, without filling."""
        ids_L = self.ids_NL[number]
        return tuple(ids_L[ids_L != np.iinfo(ids_L.dtype).max].tolist())

    def at(self, seed: int, update: int, batch: int) -> list[tuple[int, ...]]:
        """Return the rows of an update: every epoch sees each row once, in an order of its own.

        The order follows from the seed and the epoch alone, so a run goes on where it was.
        """
        places = range(update * batch, (update + 1) * batch)
        count = len(self)
        return [self.row(int(_order(count, seed, place // count)[place % count])) for place in places]


def write_rows(
    folder: Path, rows: Iterable[Sequence[int]], length: int, vocabulary: int, about: Mapping[str, Any]
) -> int:
    """Write rows of at most `length` ids below `vocabulary`; returns how many there are.

    Raises:
        DataError: there is none, or one does not fit.
    """
    kind = np.dtype("<u2") if vocabulary < np.iinfo(np.uint16).max else np.dtype("<i4")
    filler, count = np.iinfo(kind).max, 0
    with atomic_writer(folder / TOKENS) as path, open(path, "wb") as file:
        for row in rows:
            if len(row) > length or max(row, default=0) >= vocabulary or min(row, default=0) < 0:
                raise DataError(
                    f"row {count}: {len(row)} ids up to {max(row)} do not fit {length} of {vocabulary} words",
                    hint="take the tokenizer that the ids are of",
                )
            file.write(np.array([*row, *[filler] * (length - len(row))], dtype=kind).tobytes())
            count += 1
    if not count:
        raise DataError(
            f"{folder}: no row of {length} ids came out", hint="the texts are too short or too few"
        )
    facts = {
        **about,
        "rows": count,
        "length": length,
        "vocabulary": vocabulary,
        "sha256": sha256_file(folder / TOKENS),
    }
    atomic_write_text(folder / ABOUT, json.dumps(facts, indent=1, sort_keys=True) + "\n")
    return count


def read_rows(folder: Path, *, whole: bool = False) -> Rows:
    """Open a folder that `write_rows` wrote; its ids stay on the disk.

    Args:
        whole: compare their hash, too, which reads all of them: where no manifest vouches for the folder.

    Raises:
        DataError: it is none, cut short, or (`whole`) not what was written.
    """
    if not (folder / ABOUT).is_file() or not (folder / TOKENS).is_file():
        raise DataError(f"{folder} holds no packed corpus", hint="`xpflow text pack` writes one")
    about = _about(folder / ABOUT)
    kind = np.dtype("<u2") if about["vocabulary"] < np.iinfo(np.uint16).max else np.dtype("<i4")
    shape = (about["rows"], about["length"])
    size, promised = (folder / TOKENS).stat().st_size, shape[0] * shape[1] * kind.itemsize
    if size != promised:
        raise DataError(f"{folder / TOKENS}: {size} bytes, not {promised}", hint=AGAIN)
    if whole and sha256_file(folder / TOKENS) != about.get("sha256"):
        raise DataError(f"{folder / TOKENS} is not what {ABOUT} says: its hash is another", hint=AGAIN)
    return Rows(folder, np.memmap(folder / TOKENS, dtype=kind, mode="r", shape=shape), about)


def _about(file: Path) -> dict[str, Any]:
    """Return what a folder says of its rows; raises DataError where a number is lacking, or is none."""
    try:
        found = json_once(read_text(file))
    except ValueError as error:
        raise DataError(f"{file}: not JSON ({error})", hint=AGAIN) from error
    counts = [found.get(key) for key in COUNTS] if isinstance(found, dict) else [None]
    if any(not isinstance(one, int) or one < 1 for one in counts) or "packed" not in found:
        raise DataError(f"{file} lacks one of {', '.join(COUNTS)}, packed", hint=AGAIN)
    return dict(found)


def require_fit(rows: Rows, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Raise DataError where rows are longer than a model's places, or were made by another tokenizer.

    A model reads the ids of any tokenizer below its own number of words, and its perplexity is then no number
    of that text.
    """
    places, words = model.config.max_position_embeddings, rows.about["vocabulary"]
    if rows.length > places:
        raise DataError(
            f"{rows.folder} has rows of {rows.length} tokens, and the model {places} places",
            hint="pack the corpus to the model's length",
        )
    own = (tokenizer.bos_token_id, tokenizer.eos_token_id)
    made = tuple(rows.about.get(key, id) for key, id in zip(("begin", "end"), own, strict=True))
    # A mask that was put behind the last word is none of the words that rows are made of.
    if words not in (len(tokenizer), len(tokenizer) - 1) or made != own:
        raise DataError(
            f"{rows.folder} was packed by {rows.about.get('tokenizer', 'a tokenizer')} of {words} words that"
            f" begins and ends with {made}, and the model's has {len(tokenizer)}, {own}",
            hint="pack the corpus with the model's tokenizer",
        )


@lru_cache(maxsize=2)
def _order(rows: int, seed: int, epoch: int) -> Tensor:
    mixed = torch.Generator().manual_seed(int(np.random.SeedSequence((seed, epoch)).generate_state(1)[0]))
    return torch.randperm(rows, generator=mixed)
