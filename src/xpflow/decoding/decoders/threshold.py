"""Confidence-threshold parallel decoding: commit every mask whose confidence reaches a threshold, the best
one always.

The baseline for parallel decoding. Fast-dLLM: confidence >= threshold, at least one token. LLaDA2's own
decoder: `threshold=0.95 strict=true minimum=quota` (per block). The budget caps the steps of a block;
`at_cap` says what happens to masks left in the last of them.
Source: Fast-dLLM llada/generate.py; LLaDA2.0 generate.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from xpflow.decoding.blocks import Block
from xpflow.decoding.entry import Decoder, Knob
from xpflow.decoding.stepper import Logits, Setup, StepInfo, StepRecord
from xpflow.decoding.tokens import TokenReader, TokenSettings, TokenState, most_confident


class ThresholdSettings(TokenSettings):
    """Settings of `threshold`."""

    decoder: str = "threshold"
    threshold: float = Field(default=0.9, ge=0.0, le=1.0, description="Confidence that commits a token")
    strict: bool | None = Field(
        default=None,
        description="conf > threshold rather than >=; none: as upstream (strict for block-causal)",
    )
    minimum: Literal["one", "quota"] = Field(
        default="one",
        description="Tokens committed per step at least: the best one, or mask prediction's quota",
    )
    at_cap: Literal["fill", "continue"] = Field(
        default="fill",
        description="In the last step of the budget: commit all that is left, or continue past it",
    )


class Threshold(TokenReader):
    """The stepper of `threshold`."""

    settings: ThresholdSettings

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.strict = self.schedule.absolute if self.settings.strict is None else self.settings.strict
        self.uncapped = self.settings.at_cap == "continue"

    def step(self, state: TokenState, logits: Logits, info: StepInfo) -> tuple[TokenState, StepRecord | None]:
        """Commit all that is confident enough, and no fewer than the minimum."""
        found = self.predict(state, logits, info)
        least: int | Tensor = 1
        if self.settings.minimum == "quota":
            least = self.schedule.quota(info.step, state.masks_B)
        best_BM = most_confident(found.confidence, least, self.settings.tie_break, info.block)
        chosen_BM = best_BM | self._confident(found.confidence)
        if not self.uncapped:
            last_B = info.step + 1 >= info.block.steps_B
            chosen_BM = chosen_BM | (last_B[:, None] & state.masked_BM)
        return self.write(state, found, chosen_BM, info)

    def cap(self, block: Block) -> Tensor:
        """Return the most steps a block may take: the budget's, or one per open position."""
        return block.open_BM.sum(-1) if self.uncapped else block.steps_B

    def _confident(self, confidence_BM: Tensor) -> Tensor:
        if self.strict:
            return confidence_BM > self.settings.threshold
        return (confidence_BM >= self.settings.threshold) & (confidence_BM > -torch.inf)


DECODER = Decoder(
    settings=ThresholdSettings,
    make=Threshold,
    about="commit every mask whose confidence reaches a threshold",
    title="threshold",
    source="Fast-dLLM (Wu et al. 2025), llada/generate.py; LLaDA2.0, generate",
    nfe="adaptive",
    shown=("threshold",),
    knob=Knob("threshold", 0.0, 1.0),
    examples=(
        {},
        {"threshold": 0.5},
        {"threshold": 0.02, "at_cap": "continue"},
        {"threshold": 0.7, "minimum": "quota"},
    ),
)
