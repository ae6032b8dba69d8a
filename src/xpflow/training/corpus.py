"""Batches of (prompt, response) token sequences for pre-training, addressable by number so that a run can
resume.

Sequence layout: `canvas_BS` = prompt, N response tokens (the answer, the model's end tokens, padding with EOS
as LLaDA's fine-tuning data), then right padding. Rows of a batch are cut to the longest one, rounded up to
`multiple`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from xpflow.models.tokenizer import encode_prompt
from xpflow.problems.micropy.dataset import training_pairs
from xpflow.problems.micropy.splits import Split

CHUNK = 4096


@dataclass(frozen=True, slots=True)
class Example:
    """One training example: prompt ids (with chat template) and exactly N response ids."""

    prompt: tuple[int, ...]
    response: tuple[int, ...]


def response_ids(tokenizer: PreTrainedTokenizerBase, answer: str, length: int) -> tuple[int, ...] | None:
    """Return the `length` response ids of an answer (answer, end of turn, EOS padding), or None if it is too
    long."""
    ids = list(tokenizer(answer, add_special_tokens=False)["input_ids"])
    end_of_turn = tokenizer.convert_tokens_to_ids("<|eot_id|>")
    ids += [end_of_turn] if isinstance(end_of_turn, int) and end_of_turn != tokenizer.unk_token_id else []
    ids += [int(tokenizer.eos_token_id)]
    if len(ids) > length:
        return None
    return tuple(ids + [int(tokenizer.eos_token_id)] * (length - len(ids)))


class Corpus:
    """MicroPy examples of one split in a fixed endless order: a step's are a function of seed and step."""

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, length: int, *, seed: int = 0, split: Split = "train"
    ) -> None:
        self.tokenizer, self.length, self.seed, self.split = tokenizer, length, seed, split
        self._chunk = lru_cache(maxsize=2)(self._make_chunk)

    def examples(self, step: int, batch_size: int) -> list[Example]:
        """Return the examples of a step; `batch_size` must divide the chunk size."""
        per_chunk = CHUNK // batch_size
        chunk = self._chunk(step // per_chunk)
        start = (step % per_chunk) * batch_size
        return chunk[start : start + batch_size]

    def _make_chunk(self, index: int) -> list[Example]:
        stream = training_pairs(self.seed * 1_000_003 + index, self.split)
        found: list[Example] = []
        while len(found) < CHUNK:
            for question, answer in islice(stream, CHUNK - len(found)):
                response = response_ids(self.tokenizer, answer, self.length)
                if response is not None:
                    found.append(Example(tuple(encode_prompt(self.tokenizer, question)), response))
        return found


def collate(examples: list[Example], pad_id: int, multiple: int = 16) -> tuple[Tensor, Tensor]:
    """Return right-padded `canvas_BS` and prompt lengths `prompt_B`; S is a multiple of `multiple`."""
    longest = max(len(e.prompt) + len(e.response) for e in examples)
    size = -(-longest // multiple) * multiple
    canvas = torch.full((len(examples), size), pad_id, dtype=torch.long)
    for row, example in enumerate(examples):
        ids = example.prompt + example.response
        canvas[row, : len(ids)] = torch.tensor(ids)
    return canvas, torch.tensor([len(e.prompt) for e in examples])
