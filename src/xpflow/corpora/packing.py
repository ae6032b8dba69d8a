"""Documents as rows of one length: packed one behind the other, or each by itself.

Packed, as MDLM's data is (`wrap`): every document gets an end token, a thousand documents are joined, cut
into pieces of length - 2, and every piece gets a begin token in front and an end token behind; what is left
of the thousand is dropped. By itself (LM1B without packing): begin, document, end, cut at the length.
Deviation: upstream tokenizes in several processes, each with thousands of its own, and cuts elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, TypeVar

from xpflow.artifacts.io import whole_text

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

JOINED = 1000  # documents
Item = TypeVar("Item")


def groups(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield lists of `size` items, the last one of what is left."""
    left = iter(items)
    while group := list(islice(left, size)):
        yield group


def packed(
    documents: Iterable[Sequence[int]], length: int, begin: int, end: int, joined: int = JOINED
) -> Iterator[list[int]]:
    """Yield rows of `length` ids from documents' ids, which have neither begin nor end token."""
    inner = length - 2
    for group in groups(documents, joined):
        ids = list(chain.from_iterable((*document, end) for document in group))
        for start in range(0, len(ids) - inner + 1, inner):
            yield [begin, *ids[start : start + inner], end]


def alone(documents: Iterable[Sequence[int]], length: int, begin: int, end: int) -> Iterator[list[int]]:
    """Yield a row for each document, of at most `length` ids."""
    for document in documents:
        yield [begin, *document[: length - 2], end]


def tokenized(
    tokenizer: PreTrainedTokenizerBase, texts: Iterable[str], at_once: int = JOINED
) -> Iterator[list[int]]:
    """Yield the ids of texts, without special tokens."""
    for group in groups(texts, at_once):
        yield from tokenizer([whole_text(text) for text in group], add_special_tokens=False)["input_ids"]
