"""One stepper for decoders over tokens: score, commit, revise, feed back, stop, each of them a method.

A step does, in this order and from one forward: predictions and confidences (`scored`), the masks that
become tokens (`commits`), the tokens that change again (`revises`: to a mask or to another token; those that
this step committed only in Saber), what is remembered (`remembered`) and what the model sees next (`inputs`).
A named decoder overrides what it does otherwise. The budget caps the steps of a block as it does for
`threshold`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from xpflow.decoding.axes.view import AxisState, View
from xpflow.decoding.blocks import Block
from xpflow.decoding.canvas import Canvas
from xpflow.decoding.entry import COMMIT, Event
from xpflow.decoding.stepper import Logits, StepInfo, StepRecord
from xpflow.decoding.tokens import TokenReader, TokenSettings, TokenState

REMASK = Event("remask", "open", "remask", "x", "remasked", revises=True)
EDIT = Event("edit", "write", "edit", "^", "edited", revises=True)
EVENTS = (COMMIT, EDIT, REMASK)


class AxisSettings(TokenSettings):
    """What decoders of this kind share."""

    at_cap: Literal["fill", "continue"] = Field(
        default="fill",
        description="In the last step of the budget: commit all that is left, or continue past it",
    )


@dataclass(frozen=True, slots=True)
class Revision:
    """Tokens that change again: back to noise, or into this forward's prediction; both bool `[B, M]`."""

    remask_BM: Tensor
    edit_BM: Tensor


class AxisStepper(TokenReader):
    """Base of the named decoders: threshold-like, no revision, hard inputs.

    Settings without `at_cap` are of decoders whose every step belongs to the budget.
    """

    reads_decided = False  # whether a step needs logits at positions that hold a token

    def begin(self, block: Block, canvas: Canvas) -> AxisState:
        """Return the state at the start of a block."""
        plain = super().begin(block, canvas)
        state = AxisState(plain.ids_BM, plain.masked_BM, plain.masks_B, plain.start_BM, {})
        return state.remember(**self.first_memory(state, block, canvas))

    def first_memory(self, state: AxisState, block: Block, canvas: Canvas) -> dict[str, Tensor]:
        """Return what is remembered at the start of a block."""
        return {}

    def wanted(self, state: TokenState, block: Block) -> Tensor | None:
        """Return the masks, and the tokens of the response where a revision looks at them."""
        return block.open_BM if self.reads_decided else state.masked_BM

    def step(self, state: TokenState, logits: Logits, info: StepInfo) -> tuple[AxisState, StepRecord | None]:
        """Do one step."""
        assert isinstance(state, AxisState)
        view = self.scored(state, logits, info)
        last_B1 = (info.step + 1 >= self.filled_at(info.block))[:, None]
        commit_BM = self.commits(view) | (last_B1 & view.able_BM)
        change = self.revises(view, commit_BM)
        change = replace(change, remask_BM=change.remask_BM & ~last_B1)
        new = self._written(view, commit_BM, change)
        new = self.remembered(view, new, commit_BM, change)
        if not info.observed:
            return new, None
        events = {"commit": commit_BM, "edit": change.edit_BM, "remask": change.remask_BM}
        return new, self.record(new, view.found, events, info)

    def scored(self, state: AxisState, logits: Logits, info: StepInfo) -> View:
        """Return predictions and confidences."""
        return View(state, self.predict(state, logits, info), logits, info)

    def commits(self, view: View) -> Tensor:
        """Return the masks that become tokens, bool `[B, M]`: at least one of each row."""
        raise NotImplementedError

    def revises(self, view: View, commit_BM: Tensor) -> Revision:
        """Return the tokens that change again."""
        none_BM = torch.zeros_like(commit_BM)
        return Revision(none_BM, none_BM)

    def remembered(self, view: View, new: AxisState, commit_BM: Tensor, change: Revision) -> AxisState:
        """Return the new state with what later steps need to know."""
        return new

    @property
    def uncapped(self) -> bool:
        """Whether a block goes on past its budget."""
        return isinstance(self.settings, AxisSettings) and self.settings.at_cap == "continue"

    def cap(self, block: Block) -> Tensor:
        """Return the most steps a block may take: the budget's, or one per open position."""
        return block.open_BM.sum(-1) if self.uncapped else block.steps_B

    def filled_at(self, block: Block) -> Tensor:
        """Return the step, counted from 1, in which all masks are committed and none comes back, `[B]`."""
        return self.cap(block)

    def _written(self, view: View, commit_BM: Tensor, change: Revision) -> AxisState:
        state = view.state
        ids_BM = torch.where(commit_BM | change.edit_BM, view.found.ids, state.ids_BM)
        ids_BM = torch.where(change.remask_BM, state.start_BM, ids_BM)
        masked_BM = (state.masked_BM | change.remask_BM) & self.noise.is_open(ids_BM)
        return replace(state, ids_BM=ids_BM, masked_BM=masked_BM)
