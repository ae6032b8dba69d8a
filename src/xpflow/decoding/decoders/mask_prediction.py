"""Mask prediction with low-confidence remasking: LLaDA's decoder, and the same idea per block for LLaDA2.

Every step predicts all masks of the block and commits a fixed quota of them, the most confident; nothing is
ever masked again. Token-identical to the official algorithm (tests/unit/decoding transcribe it).
Source: LLaDA generate.py; LLaDA2.0 generate with a threshold that is never reached.
"""

from __future__ import annotations

import torch
from torch import Tensor

from xpflow.decoding.blocks import Block, Schedule
from xpflow.decoding.canvas import ModelFacts
from xpflow.decoding.confidence import Prediction, most_confident
from xpflow.decoding.noise import RowNoise
from xpflow.decoding.registry import DecoderEntry, register
from xpflow.decoding.settings import MaskPredictionSettings
from xpflow.decoding.stepper import Logits, StepInfo, StepRecord
from xpflow.decoding.tokens import TokenReader, TokenState


class MaskPrediction(TokenReader):
    """The stepper of `mask_prediction`."""

    settings: MaskPredictionSettings

    def __init__(
        self, settings: MaskPredictionSettings, facts: ModelFacts, schedule: Schedule, noise: RowNoise
    ) -> None:
        super().__init__(settings, facts, noise)
        self.schedule = schedule

    def step(self, state: TokenState, logits: Logits, info: StepInfo) -> tuple[TokenState, StepRecord | None]:
        """Commit the quota of this step."""
        found = self.predict(state, logits, info)
        if self.settings.remasking == "random":
            found = self._random_confidence(found, info)
        quota = self.schedule.quota(info.step, state.masks_B)
        chosen_BM = most_confident(found.confidence, quota, self.settings.tie_break, info.block)
        return self.write(state, found, chosen_BM, info)

    def cap(self, block: Block) -> Tensor:
        """Return upstream's number of steps; only a predicted mask id makes a block need all of them."""
        return torch.full_like(block.steps_B, self.schedule.steps_per_block)

    def _random_confidence(self, found: Prediction, info: StepInfo) -> Prediction:
        """Replace confidences by uniform numbers, drawn for the whole row like upstream when the scope is
        canvas."""
        block, canvas = info.block, self.settings.noise_scope == "canvas"
        draws: list[Tensor] = []
        for index, row in enumerate(info.rows_B.tolist()):
            places_M = block.positions_BM[index]
            size = int(block.row_end_B[index]) if canvas else len(places_M)
            drawn = self.noise.uniform(row, (size,), torch.float32)
            draws.append(drawn[places_M] if canvas else drawn)
        closed_BM = found.confidence == -torch.inf
        return Prediction(found.ids, torch.stack(draws).masked_fill(closed_BM, -torch.inf))


def make(
    model: object,
    settings: MaskPredictionSettings,
    facts: ModelFacts,
    schedule: Schedule,
    noise: RowNoise,
    **_: object,
) -> MaskPrediction:
    """Return the stepper."""
    return MaskPrediction(settings, facts, schedule, noise)


register(
    "mask_prediction",
    DecoderEntry(MaskPredictionSettings, make, help="low-confidence remasking with a fixed quota per step"),
)
