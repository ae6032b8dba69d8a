"""From the documents of a corpus to the rows of a folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xpflow.corpora.packing import alone, packed, tokenized
from xpflow.corpora.store import write_rows

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def pack_corpus(
    folder: Path,
    texts: Iterable[str],
    tokenizer: PreTrainedTokenizerBase,
    length: int,
    by_itself: bool,
    about: Mapping[str, Any],
) -> int:
    """Write rows of texts, packed or each by itself; returns how many there are.

    Raises:
        DataError: no row comes out. Whatever `texts` raises.
    """
    cut = alone if by_itself else packed
    begin, end = tokenizer.bos_token_id, tokenizer.eos_token_id
    assert isinstance(begin, int)
    assert isinstance(end, int)
    facts = {**about, "packed": not by_itself, "begin": begin, "end": end}
    return write_rows(
        folder, cut(tokenized(tokenizer, texts), length, begin, end), length, len(tokenizer), facts
    )
