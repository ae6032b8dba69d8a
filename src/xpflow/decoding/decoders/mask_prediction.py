"""Mask prediction with low-confidence remasking: LLaDA's decoder, and the same idea per block for LLaDA2.

Every step predicts all masks of the block and commits a fixed quota of them, the most confident; nothing is
ever masked again. Token-identical to the official algorithm (tests/unit/decoding transcribe it). Source:
LLaDA generate.py; LLaDA2.0 generate with a threshold that is never reached.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from xpflow.decoding.blocks import Block
from xpflow.decoding.entry import Decoder
from xpflow.decoding.stepper import Logits, StepInfo, StepRecord
from xpflow.decoding.tokens import Prediction, TokenReader, TokenSettings, TokenState, most_confident


class MaskPredictionSettings(TokenSettings):
    """Settings of `mask_prediction`."""

    remasking: Literal["low_confidence", "random"] = Field(
        default="low_confidence", description="Which token waits"
    )


class MaskPrediction(TokenReader):
    """The stepper of `mask_prediction`."""

    settings: MaskPredictionSettings

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
        """Replace confidences by uniform numbers; scope canvas draws for the whole row, as upstream."""
        block, canvas = info.block, self.settings.noise_scope == "canvas"
        draws: list[Tensor] = []
        for index, row in enumerate(info.rows_B.tolist()):
            places_M = block.positions_BM[index]
            size = int(block.row_end_B[index]) if canvas else len(places_M)
            drawn = self.random.uniform(row, (size,), torch.float32)
            draws.append(drawn[places_M] if canvas else drawn)
        closed_BM = found.confidence == -torch.inf
        return Prediction(found.ids, torch.stack(draws).masked_fill(closed_BM, -torch.inf))


DECODER = Decoder(
    settings=MaskPredictionSettings,
    make=MaskPrediction,
    about="low-confidence remasking with a fixed quota per step",
    title="mask prediction",
    source="LLaDA (Nie et al. 2025), generate.py; LLaDA2.0, generate",
    examples=({}, {"temperature": 0.8}, {"remasking": "random"}),
    draws=lambda settings: settings.temperature > 0 or settings.remasking == "random",
)
