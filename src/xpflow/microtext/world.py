"""What a world is: a language of sentences of one length, with an oracle that is exact.

To add one: a file with a `World` in it, and its line in `xpflow.microtext.worlds`; or no line at all, where a
command names the file (`./my_world.py:WORLD`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from xpflow.errors import DataError, nearest
from xpflow.microtext.chains import Chains

LICENSE = "apache-2.0"


@dataclass(frozen=True)
class World:
    """A language.

    Args:
        name, about: what commands call it, and one line on it.
        words: word of each id, none twice.
        make: the chains behind it; called once, when something is asked.
        domains: name -> the world of another domain: the same words and length, other probabilities. A model
            trained here is tested there without having seen it.
        end: the word that fills a sentence up after its end; empty where sentences have no end.
    """

    name: str
    about: str
    words: tuple[str, ...]
    make: Callable[[], Chains]
    domains: Mapping[str, str] = field(default_factory=dict)
    end: str = ""

    @cached_property
    def chains(self) -> Chains:
        """Return the mixture of Markov chains that the language is.

        Raises:
            DataError: it has another number of words, or a word twice.
        """
        chains = self.make()
        if len(set(self.words)) != len(self.words) or chains.size != len(self.words):
            raise DataError(f"world {self.name!r}: {len(self.words)} words, probabilities for {chains.size}")
        return chains

    @property
    def length(self) -> int:
        """Return L, the places of a sentence."""
        return self.chains.length

    @property
    def size(self) -> int:
        """Return V, the words of the language."""
        return len(self.words)

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw sentences as ids, long [count, L]."""
        return self.chains.sample(count, generator)

    def log_prob(self, ids_BL: Tensor) -> Tensor:
        """Return log p(x) of whole sentences, [B] in nats, float64; -inf for what the language cannot say."""
        return self.log_evidence(ids_BL, torch.zeros_like(ids_BL, dtype=torch.bool))

    def log_evidence(self, ids_BL: Tensor, open_BL: Tensor) -> Tensor:
        """Return log p(words that are not open), [B] in nats."""
        self._require(ids_BL, open_BL)
        return self.chains.log_evidence(ids_BL, open_BL)

    def conditionals(self, ids_BL: Tensor, open_BL: Tensor) -> Tensor:
        """Return p(x_i = v | words that are not open), [B, L, V], float64: see `Chains.conditionals`."""
        self._require(ids_BL, open_BL)
        return self.chains.conditionals(ids_BL, open_BL)

    def denoiser(self, ids_BL: Tensor, open_BL: Tensor) -> Tensor:
        """Return log p(x_i = v | words that are not open), [B, L, V]: the perfect denoiser.

        Beside words that never stand together no word is possible: -inf for all.
        """
        return self.conditionals(ids_BL, open_BL).nan_to_num(nan=0.0).log()

    def text(self, ids: Sequence[int]) -> str:
        """Return a sentence as people read it: its words with spaces between, none after its end."""
        words = [self.words[i] for i in ids]
        while self.end and words and words[-1] == self.end:
            words.pop()
        return " ".join(words)

    def ids(self, text: str) -> list[int]:
        """Return the ids of a sentence, filled up after its end.

        Raises:
            DataError: it has a word that the language has not, or not as many as a sentence has.
        """
        found, number = text.split(), {word: i for i, word in enumerate(self.words)}
        if unknown := [word for word in found if word not in number]:
            raise DataError(f"{self.name} has no word {unknown[0]!r}", hint=nearest(unknown[0], self.words))
        found += [self.end] * (self.length - len(found) if self.end else 0)
        if len(found) != self.length:
            raise DataError(f"a sentence of {self.name} has {self.length} words, found {len(found)}")
        return [number[word] for word in found]

    def _require(self, ids_BL: Tensor, open_BL: Tensor) -> None:
        """Raise DataError for ids that are no sentences; at open places anything may stand."""
        if ids_BL.ndim != 2 or ids_BL.shape[1] != self.length or open_BL.shape != ids_BL.shape:
            raise DataError(
                f"{self.name}: sentences are [B, {self.length}], found {tuple(ids_BL.shape)} and"
                f" {tuple(open_BL.shape)}"
            )
        if bool((((ids_BL < 0) | (ids_BL >= self.size)) & ~open_BL).any()):
            raise DataError(f"{self.name}: an id is not below {self.size}", hint="say that its place is open")
