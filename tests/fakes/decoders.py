"""Decoders from outside the package, with all that the shipped ones have not.

`remasking`: a state of its own, an event that undoes another, a column in traces, a whole number as knob.
`several`: a knob that lowers the NFE.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from pydantic import Field
from torch import Tensor

from xpflow.decoding.blocks import Block
from xpflow.decoding.canvas import Canvas
from xpflow.decoding.entry import COMMIT, Decoder, Event, Knob
from xpflow.decoding.stepper import Logits, StepInfo, StepRecord
from xpflow.decoding.tokens import TokenReader, TokenSettings, TokenState, most_confident


class RemaskingSettings(TokenSettings):
    doubts: int = Field(default=2, ge=0, le=8, description="Times that a row may open a token again")


@dataclass(frozen=True)
class RemaskingState(TokenState):
    """left_B: doubts that a row has left; age_BM: forwards since a position was decided."""

    left_B: Tensor
    age_BM: Tensor


class Remasking(TokenReader):
    settings: RemaskingSettings

    def begin(self, block: Block, canvas: Canvas) -> RemaskingState:
        base = super().begin(block, canvas)
        own = {field.name: getattr(base, field.name) for field in fields(TokenState)}
        left_B = torch.full_like(block.steps_B, self.settings.doubts)
        return RemaskingState(**own, left_B=left_B, age_BM=torch.zeros_like(base.ids_BM))

    def wanted(self, state: TokenState, block: Block) -> Tensor | None:
        return block.open_BM

    def cap(self, block: Block) -> Tensor:
        return block.open_BM.sum(-1) + self.settings.doubts

    def step(
        self, state: RemaskingState, logits: Logits, info: StepInfo
    ) -> tuple[RemaskingState, StepRecord | None]:
        found, open_BM = self.predict(state, logits, info), info.block.open_BM
        waiting_BM = found.confidence.masked_fill(~state.masked_BM, -torch.inf)
        chosen_BM = most_confident(waiting_BM, 1, self.settings.tie_break, info.block)
        able_BM = open_BM & ~state.masked_BM & (state.left_B > 0)[:, None] & (found.ids != state.ids_BM)
        doubt_BM = (-found.confidence).masked_fill(~able_BM, -torch.inf)
        opened_BM = most_confident(doubt_BM, 1, self.settings.tie_break)
        new, record = self.write(state, found, chosen_BM, info, {"remask": opened_BM})
        age_BM = (state.age_BM + 1).masked_fill(new.masked_BM | ~open_BM, 0)
        new = replace(new, left_B=state.left_B - opened_BM.any(-1).long(), age_BM=age_BM)
        return new, record and replace(record, extra={"age": age_BM})


REMASKING = Decoder(
    settings=RemaskingSettings,
    make=Remasking,
    about="opens a token again when later forwards doubt it",
    title="remasking",
    nfe="adaptive",
    shown=("doubts",),
    knob=Knob("doubts", 0, 8, whole=True),
    examples=({}, {"doubts": 0}, {"doubts": 5}),
    events=(COMMIT, Event("remask", "open", "remasked", "x", "opened again", revises=True)),
)


class SeveralSettings(TokenSettings):
    tokens: int = Field(default=2, ge=1, le=16, description="Tokens committed per step")


class Several(TokenReader):
    settings: SeveralSettings

    def cap(self, block: Block) -> Tensor:
        return block.open_BM.sum(-1)

    def step(self, state: TokenState, logits: Logits, info: StepInfo) -> tuple[TokenState, StepRecord | None]:
        found = self.predict(state, logits, info)
        chosen_BM = most_confident(
            found.confidence, self.settings.tokens, self.settings.tie_break, info.block
        )
        return self.write(state, found, chosen_BM, info)


SEVERAL = Decoder(
    settings=SeveralSettings,
    make=Several,
    about="commits a fixed number of tokens per step",
    title="several",
    nfe="adaptive",
    shown=("tokens",),
    knob=Knob("tokens", 1, 16, rises=False, whole=True),
)
