"""The tokenizers of the papers, with the tokens that begin and end a text as MDLM's data has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from xpflow.errors import ModelLoadError, nearest
from xpflow.hub.repo import HubRepo, local_snapshot
from xpflow.models.registry import GPT2_TOKENIZER

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BERT_TOKENIZER = HubRepo(
    "bert-tokenizer",
    "google-bert/bert-base-uncased",
    "86b5e0934494bd15c9632b12f734a8a67f723594",
    about="BERT's tokenizer, lower case",
    files=("tokenizer.json", "tokenizer_config.json"),
)


@dataclass(frozen=True, slots=True)
class TextTokenizer:
    """A published tokenizer: its repository, its words, and role of a special token -> its text."""

    repo: HubRepo
    words: int
    special: Mapping[str, str]


_END = "<|endoftext|>"
# GPT-2 has neither mask nor padding: packed texts need none, and models put their mask behind its last id.
TOKENIZERS: Mapping[str, TextTokenizer] = {
    "gpt2": TextTokenizer(GPT2_TOKENIZER, 50_257, {"bos": _END, "eos": _END, "pad": _END}),
    "bert-base-uncased": TextTokenizer(
        BERT_TOKENIZER,
        30_522,
        {"bos": "[CLS]", "eos": "[SEP]", "pad": "[PAD]", "mask": "[MASK]", "unk": "[UNK]"},
    ),
}


def text_tokenizer(name: str, folder: Path | None = None) -> PreTrainedTokenizerBase:
    """Return a tokenizer of the table from its repository in the hub's cache, or from a local folder of it.

    Raises:
        HubError: it was not fetched. ModelLoadError: there is no such tokenizer, or it lacks a token.
    """
    from xpflow.models.load import load_tokenizer

    if name not in TOKENIZERS:
        raise ModelLoadError(f"no tokenizer named {name!r}", hint=nearest(name, TOKENIZERS))
    chosen = TOKENIZERS[name]
    found = load_tokenizer(folder or local_snapshot(chosen.repo))
    vocabulary = found.get_vocab()
    for role, text in chosen.special.items():
        if text not in vocabulary:
            raise ModelLoadError(
                f"the tokenizer {name} has no token {text}",
                hint=f"take {chosen.repo.hub_id}'s tokenizer.json",
            )
        setattr(found, f"{role}_token", text)
    return found
