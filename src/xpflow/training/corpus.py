"""A world of problems as endless training examples, addressable by number so that a run can resume."""

from __future__ import annotations

from functools import lru_cache
from itertools import islice

from transformers import PreTrainedTokenizerBase

from xpflow.errors import ConfigError
from xpflow.models.tokenizer import encode_prompt
from xpflow.problems.micropy.splits import Split
from xpflow.problems.worlds import PROBLEM_WORLDS
from xpflow.training.examples import Example, response_ids

CHUNK = 4096
FEWEST = 0.01  # share of the answers that must fit: the others are passed over, and drawn in vain


class Corpus:
    """A world's examples of one split in a fixed endless order: a step's are a function of seed and step."""

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        length: int,
        *,
        seed: int = 0,
        split: Split = "train",
        world: str = "micropy",
    ) -> None:
        self.tokenizer, self.length, self.seed, self.split = tokenizer, length, seed, split
        self.world = PROBLEM_WORLDS[world]
        self._chunk = lru_cache(maxsize=2)(self._make_chunk)

    def examples(self, step: int, batch_size: int) -> list[Example]:
        """Return the examples of a step; what a batch size that does not divide a chunk leaves is dropped.

        Raises:
            ConfigError: next to no answer is short enough.
        """
        per_chunk = CHUNK // batch_size
        chunk = self._chunk(step // per_chunk)
        start = (step % per_chunk) * batch_size
        return chunk[start : start + batch_size]

    def _make_chunk(self, index: int) -> list[Example]:
        stream = self.world.training_pairs(self.seed * 1_000_003 + index, self.split)
        found: list[Example] = []
        seen = 0
        while len(found) < CHUNK:
            for question, answer in islice(stream, CHUNK - len(found)):
                response = response_ids(self.tokenizer, answer, self.length)
                seen += 1
                if response is not None:
                    found.append(Example(tuple(encode_prompt(self.tokenizer, question)), response))
            if len(found) < seen * FEWEST:
                raise ConfigError(
                    f"{len(found)} of {seen} answers of {self.world.name} fit {self.length} tokens",
                    hint="raise pretrain.response_length",
                )
        return found
