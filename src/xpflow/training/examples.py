"""Examples to train on, the batches that they make, and the order in which a run sees them.

Sequence layout: `canvas_BS` = prompt, N response tokens (the answer, the model's end tokens, padding with EOS
as in LLaDA's fine-tuning data), then right padding. Rows of a batch are cut to the longest one, rounded up to
`multiple`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from xpflow.artifacts.io import whole_text
from xpflow.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


KINDS = ("train", "probe", "heldout")


@dataclass(frozen=True, slots=True)
class Example:
    """One training example: prompt ids (with chat template) and exactly N response ids.

    steps: the forward in which each response token was decided; empty where nobody noted it.
    """

    prompt: tuple[int, ...]
    response: tuple[int, ...]
    steps: tuple[int, ...] = field(default=(), repr=False)  # without them, `repr` and hash are what they were


@dataclass(frozen=True, slots=True)
class Batch:
    """Clean right-padded canvases [B, S] and prompt lengths [B]; every response has `length` tokens.

    steps_BN: when each response token was decided, where all examples say so.
    """

    canvas_BS: Tensor
    prompt_B: Tensor
    length: int
    steps_BN: Tensor | None = None

    @classmethod
    def of(cls, examples: list[Example], pad_id: int, multiple: int = 16) -> Batch:
        """Return the batch of some examples; S is a multiple of `multiple`."""
        rows = [example.prompt + example.response for example in examples]
        size = -(-max(map(len, rows)) // multiple) * multiple
        canvas_BS = torch.tensor([row + (pad_id,) * (size - len(row)) for row in rows])
        prompt_B = torch.tensor([len(e.prompt) for e in examples])
        known = all(example.steps for example in examples)
        steps_BN = torch.tensor([example.steps for example in examples]) if known else None
        return cls(canvas_BS, prompt_B, len(examples[0].response), steps_BN)


@dataclass(frozen=True, slots=True)
class OwnAnswers:
    """A model's own answers to train on, others to watch, and real answers that nothing is trained on."""

    train: list[Example]
    probe: list[Example]
    heldout: list[Example]

    @classmethod
    def from_rows(cls, rows: list[dict[str, Any]]) -> OwnAnswers:
        """Sort the rows that `xpflow selfdata` wrote by kind; raises DataError with none to train on."""
        groups: dict[str, list[Example]] = {kind: [] for kind in KINDS}
        require_answers(rows)
        for row in rows:
            ids = tuple(row["prompt_ids"]), tuple(row["response"])
            groups[row["kind"]].append(Example(*ids, tuple(row.get("steps", ()))))
        if not groups["train"]:
            raise DataError(
                "the self-alignment data has no row of kind 'train'", hint="make it again: xpflow selfdata"
            )
        return cls(groups["train"], groups["probe"] or groups["train"][:8], groups["heldout"])

    def sha256(self) -> str:
        """Return a hash of all examples, with their steps where they have any."""
        groups = (self.train, self.probe, self.heldout)
        steps = [example.steps for group in groups for example in group]
        return hashlib.sha256(repr((*groups, steps) if any(steps) else groups).encode()).hexdigest()


def require_answers(rows: Sequence[Mapping[str, Any]]) -> None:
    """Raise DataError for rows that `xpflow selfdata` did not write, with the first field amiss."""
    for number, row in enumerate(rows, start=1):
        flaw = next((name for name in ("prompt_ids", "response") if not isinstance(row.get(name), list)), "")
        if flaw or row.get("kind") not in KINDS:
            name = flaw or "kind"
            raise DataError(
                f"row {number} of the answers, field {name!r}: found {row.get(name)!r:.60}",
                hint="is it the file that `xpflow selfdata` wrote?",
            )


def response_ids(tokenizer: PreTrainedTokenizerBase, answer: str, length: int) -> tuple[int, ...] | None:
    """Return an answer's `length` response ids (answer, end of turn, EOS padding); None if it is too long."""
    ids = list(tokenizer(whole_text(answer), add_special_tokens=False)["input_ids"])
    end_of_turn = tokenizer.convert_tokens_to_ids("<|eot_id|>")
    ids += [end_of_turn] if isinstance(end_of_turn, int) and end_of_turn != tokenizer.unk_token_id else []
    ids += [int(tokenizer.eos_token_id)]
    if len(ids) > length:
        return None
    return tuple(ids + [int(tokenizer.eos_token_id)] * (length - len(ids)))


def epoch_order(count: int, seed: int, step: int, size: int) -> list[int]:
    """Return the example numbers of a step: every epoch is a new permutation, cut into batches of `size`."""
    per_epoch = max(1, count // size)
    generator = torch.Generator().manual_seed(seed * 7_919 + step // per_epoch)
    order = torch.randperm(count, generator=generator).tolist()
    start = (step % per_epoch) * size
    return [int(i) for i in order[start : start + size]]
