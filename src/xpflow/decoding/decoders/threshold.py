"""Confidence-threshold parallel decoding: commit every mask whose confidence reaches a threshold, the best
one always.

The baseline for parallel decoding. Fast-dLLM: confidence >= threshold, at least one token. LLaDA2's own
decoder: `threshold=0.95 strict=true minimum=quota` (per block). The budget caps the steps of a block;
`at_cap` says what happens to masks left in the last of them.
Source: Fast-dLLM llada/generate.py; LLaDA2.0 generate.
"""

from __future__ import annotations

import torch
from torch import Tensor

from xpflow.decoding.blocks import Block, Schedule
from xpflow.decoding.canvas import ModelFacts
from xpflow.decoding.confidence import most_confident
from xpflow.decoding.noise import RowNoise
from xpflow.decoding.registry import DecoderEntry, register
from xpflow.decoding.settings import ThresholdSettings
from xpflow.decoding.stepper import Logits, StepInfo, StepRecord
from xpflow.decoding.tokens import TokenReader, TokenState


class Threshold(TokenReader):
    """The stepper of `threshold`."""

    settings: ThresholdSettings

    def __init__(
        self, settings: ThresholdSettings, facts: ModelFacts, schedule: Schedule, noise: RowNoise
    ) -> None:
        super().__init__(settings, facts, noise)
        self.schedule = schedule
        self.strict = bool(facts.block_length) if settings.strict is None else settings.strict
        self.uncapped = settings.at_cap == "continue"

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


def make(
    model: object,
    settings: ThresholdSettings,
    facts: ModelFacts,
    schedule: Schedule,
    noise: RowNoise,
    **_: object,
) -> Threshold:
    """Return the stepper."""
    return Threshold(settings, facts, schedule, noise)


register("threshold", DecoderEntry(ThresholdSettings, make, help="commit every mask above a confidence"))
