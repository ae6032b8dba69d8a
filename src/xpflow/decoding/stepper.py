"""What a decoder has to provide: pure step functions over an explicit state, driven by `loop.run_block`.

Legend: B rows, M positions of a block, K positions read (K <= M), V vocabulary, E embedding width.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol, TypeVar

from torch import Tensor

from xpflow.decoding.blocks import Block

Model = Callable[..., Any]


@dataclass(frozen=True)
class State:
    """Base of decoder states: every field is a tensor whose first dimension is the row."""

    def take(self: S, keep_B: Tensor) -> S:
        """Return the state of some rows, given by index."""
        return replace(self, **{field.name: getattr(self, field.name)[keep_B] for field in fields(self)})


S = TypeVar("S", bound=State)


@dataclass(frozen=True, slots=True)
class StepInfo:
    """Where a step happens: the step's number in its block, the block, and the input order of the rows."""

    step: int
    block: Block
    rows_B: Tensor
    steps_before_B: Tensor
    steps_total_B: Tensor
    observed: bool = True


@dataclass(frozen=True, slots=True)
class Logits:
    """Logits at the places that a stepper asked for. index_BK: places in the block (None: all, in order);
    read_BK: which of them were asked for (None: all) - rows with fewer are filled up with other places."""

    values_BKV: Tensor
    index_BK: Tensor | None
    read_BK: Tensor | None


@dataclass(frozen=True, slots=True)
class StepRecord:
    """What happened in a step, for traces and live views; all `[B, M]`, t after the step."""

    info: StepInfo
    t_BM: Tensor
    a_BM: Tensor
    c_BM: Tensor
    argmax_BM: Tensor
    held_BM: Tensor
    reedit_BM: Tensor
    commit_BM: Tensor


Observer = Callable[[StepRecord], None]


class Stepper(Protocol[S]):
    """One decoder bound to a model and settings. `continuous`: inputs are embeddings `[B, M, E]`, else
    ids."""

    continuous: bool
    extra_forward: bool

    def begin(self, block: Block, tokens_BM: Tensor) -> S:
        """Return the state at the start of a block."""

    def inputs(self, state: S) -> Tensor:
        """Return what the model sees at the block's positions: ids `[B, M]` or embeddings `[B, M, E]`."""

    def wanted(self, state: S, block: Block) -> Tensor | None:
        """Return a bool mask of the positions whose logits the next step needs; None: all."""

    def step(self, state: S, logits: Logits, info: StepInfo) -> tuple[S, StepRecord | None]:
        """Do one step; the record may be left out where nobody observes."""

    def cap(self, block: Block) -> Tensor:
        """Return the most steps that each row may take in this block, `[B]`."""

    def finished(self, state: S, block: Block) -> Tensor:
        """Return the rows, bool `[B]`, that no later step can change."""

    def tokens(self, state: S) -> Tensor:
        """Return the token ids of the block."""

    def read_last(self, state: S, logits: Logits, block: Block) -> S:
        """Return the state after one more forward that only reads (where `extra_forward` is set)."""
