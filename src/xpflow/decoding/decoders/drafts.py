"""FreeDave: mask prediction's own tokens with fewer forwards one after the other, by drafts that are checked.

A forward's predictions give the next state for certain, and a guess at the D - 1 states after it: what mask
prediction would do if predictions stayed as they are. The next forward looks at all D in its batch, takes
each as long as the one before leads to exactly it, and drafts on from the last that holds. Tokens are those
of `mask_prediction`; forwards fall, batch rows do not: see `rows`.
Source: FreeDave, arXiv 2510.00294. Only without drawing: temperature 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from pydantic import Field
from torch import Tensor

from xpflow.decoding.blocks import Block
from xpflow.decoding.canvas import Canvas
from xpflow.decoding.entry import Decoder
from xpflow.decoding.stepper import Logits, Query, StepInfo, StepRecord
from xpflow.decoding.tokens import Prediction, TokenReader, TokenSettings, TokenState, most_confident


class DraftSettings(TokenSettings):
    """Settings of `drafts`."""

    drafts: int = Field(default=4, ge=1, le=64, description="D: states that one forward looks at")
    temperature: float = Field(default=0.0, ge=0.0, le=0.0, description="Nothing is drawn")


@dataclass(frozen=True)
class DraftState(TokenState):
    """The state of mask prediction after `step_B` steps, and the drafts `[B, D, M]` that begin with it."""

    step_B: Tensor
    drafts_BDM: Tensor


class Drafts(TokenReader):
    """The stepper of `drafts`."""

    settings: DraftSettings

    def begin(self, block: Block, canvas: Canvas) -> DraftState:
        """Return the state at the start of a block: there is one draft, itself."""
        plain = super().begin(block, canvas)
        drafts_BDM = plain.ids_BM[:, None].expand(-1, self.settings.drafts, -1)
        step_B = torch.zeros_like(plain.masks_B)
        return DraftState(plain.ids_BM, plain.masked_BM, plain.masks_B, plain.start_BM, step_B, drafts_BDM)

    def query(self, state: TokenState, block: Block) -> Query:
        """Return the drafts; the first forward of a block has nothing to guess yet."""
        assert isinstance(state, DraftState)
        count = self._count(state)
        ids_BDM = state.drafts_BDM[:, :count]
        masked_BDM = block.open_BM[:, None] & self.noise.is_open(ids_BDM)
        return Query(ids_BDM.flatten(0, 1), masked_BDM.flatten(0, 1), drafts=count)

    def step(self, state: TokenState, logits: Logits, info: StepInfo) -> tuple[TokenState, StepRecord | None]:
        """Take the drafts that hold, one step for each, and draft on from the last of them."""
        assert isinstance(state, DraftState)
        rows, size = state.ids_BM.shape
        count = self._count(state)
        again = torch.arange(rows, device=state.ids_BM.device).repeat_interleave(count)
        ids_BDM, block = state.drafts_BDM[:, :count], info.block.take(again)
        masked_BDM = info.block.open_BM[:, None] & self.noise.is_open(ids_BDM)
        flat = TokenState(
            ids_BDM.flatten(0, 1), masked_BDM.flatten(0, 1), state.masks_B[again], state.start_BM[again]
        )
        found = self.predict(flat, logits, replace(info, block=block, rows_B=info.rows_B[again]))
        shape = (rows, count, size)
        ids, confidence = found.ids.view(shape), found.confidence.view(shape)
        now_BM, held_B, step_B = state.ids_BM, torch.ones_like(state.step_B, dtype=torch.bool), state.step_B
        chosen_BM, last_B = torch.zeros_like(state.masked_BM), torch.zeros_like(state.step_B)
        for draft in range(count):
            held_B = held_B & (ids_BDM[:, draft] == now_BM).all(-1) & (step_B < self.schedule.steps_per_block)
            own = Prediction(ids[:, draft], confidence[:, draft])
            taken_BM = self._taken(own, state, step_B, info.block) & held_B[:, None]
            now_BM = torch.where(taken_BM, own.ids, now_BM)
            chosen_BM, step_B = chosen_BM | taken_BM, step_B + held_B
            last_B = torch.where(held_B, draft, last_B)
        pick_BM = last_B[:, None, None].expand(-1, 1, size)
        last = Prediction(ids.gather(1, pick_BM)[:, 0], confidence.gather(1, pick_BM)[:, 0])
        drafts_BDM = self._drafted(last, state, now_BM, step_B, info.block)
        masked_BM = state.masked_BM & self.noise.is_open(now_BM)
        new = replace(state, ids_BM=now_BM, masked_BM=masked_BM, step_B=step_B, drafts_BDM=drafts_BDM)
        shown = Prediction(torch.where(chosen_BM, now_BM, last.ids), last.confidence)
        return new, self.record(new, shown, {"commit": chosen_BM}, info) if info.observed else None

    def cap(self, block: Block) -> Tensor:
        """Return the steps of mask prediction: each forward takes one at least."""
        return torch.full_like(block.steps_B, self.schedule.steps_per_block)

    def finished(self, state: TokenState, block: Block) -> Tensor:
        """Return the rows without a mask, or without a step left."""
        assert isinstance(state, DraftState)
        return super().finished(state, block) | (state.step_B >= self.schedule.steps_per_block)

    def _count(self, state: DraftState) -> int:
        """Return the drafts of the next forward: one at a block's start, when nothing was predicted."""
        return self.settings.drafts if bool(state.step_B.any()) else 1

    def _taken(self, found: Prediction, state: DraftState, step_B: Tensor, block: Block) -> Tensor:
        """Return what mask prediction commits in a row's step."""
        quota_B = self.schedule.quotas(step_B, state.masks_B)
        return most_confident(found.confidence, quota_B, self.settings.tie_break, block)

    def _drafted(
        self, found: Prediction, state: DraftState, ids_BM: Tensor, step_B: Tensor, block: Block
    ) -> Tensor:
        """Return the states that follow one another if predictions stay as they are, `[B, D, M]`."""
        drafts = [ids_BM]
        for number in range(1, self.settings.drafts):
            closed_BM = ~(block.open_BM & self.noise.is_open(ids_BM))
            own = Prediction(found.ids, found.confidence.masked_fill(closed_BM, -torch.inf))
            ids_BM = torch.where(self._taken(own, state, step_B + number - 1, block), found.ids, ids_BM)
            drafts.append(ids_BM)
        return torch.stack(drafts, dim=1)


DECODER = Decoder(
    settings=DraftSettings,
    make=Drafts,
    about="mask prediction's tokens with fewer forwards: drafts, checked in one batch",
    title="drafts",
    source="FreeDave, arXiv 2510.00294",
    nfe="adaptive",
    shown=("drafts",),
    examples=({}, {"drafts": 2}),
)
