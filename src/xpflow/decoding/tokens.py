"""State over hard tokens, shared by mask prediction and threshold decoding: a position is a mask or a token.

Temperature, EOS options and suppression live here. Legend: see stepper.py. Source: LLaDA generate.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from xpflow.decoding.blocks import Block
from xpflow.decoding.canvas import ModelFacts
from xpflow.decoding.confidence import Prediction, confidence_of, suppress, suppressed_ids
from xpflow.decoding.noise import RowNoise
from xpflow.decoding.settings import TokenSettings
from xpflow.decoding.stepper import Logits, State, StepInfo, StepRecord


@dataclass(frozen=True)
class TokenState(State):
    """ids_BM: mask id where open; masked_BM: what is still open (a predicted mask id leaves a position open);
    masks_B: how many were open at the block's start."""

    ids_BM: Tensor
    masked_BM: Tensor
    masks_B: Tensor


class TokenReader:
    """Turns logits into predicted ids and confidences."""

    continuous = False
    extra_forward = False

    def __init__(self, settings: TokenSettings, facts: ModelFacts, noise: RowNoise) -> None:
        self.settings, self.facts, self.noise = settings, facts, noise
        self.hidden_ids = suppressed_ids(settings, facts)

    def begin(self, block: Block, tokens_BM: Tensor) -> TokenState:
        """Return the state at the start of a block."""
        masked_BM = block.open_BM & (tokens_BM == self.facts.mask_id)
        return TokenState(tokens_BM, masked_BM, masked_BM[:, -block.length :].sum(-1))

    def inputs(self, state: TokenState) -> Tensor:
        """Return the ids that the model sees."""
        return state.ids_BM

    def tokens(self, state: TokenState) -> Tensor:
        """Return the ids of the block."""
        return state.ids_BM

    def wanted(self, state: TokenState, block: Block) -> Tensor | None:
        """Return the masked positions: only they are predicted."""
        return state.masked_BM

    def finished(self, state: TokenState, block: Block) -> Tensor:
        """Return the rows without a mask."""
        return ~state.masked_BM.any(-1)

    def read_last(self, state: TokenState, logits: Logits, block: Block) -> TokenState:
        """Return the state unchanged: hard tokens need no read-out."""
        return state

    def predict(self, state: TokenState, logits: Logits, info: StepInfo) -> Prediction:
        """Return predictions over the whole block: ids kept and confidence -inf where nothing was read."""
        values = suppress(logits.values_BKV, self.hidden_ids)
        ids_BK = self._choose(values, logits, info)
        if self.settings.confidence_eos_eot_inf != "off":
            values = suppress(values, self._eos_columns())
        confidence_BK = confidence_of(values, ids_BK, self.settings)
        if logits.read_BK is not None and logits.index_BK is not None:
            confidence_BK = confidence_BK.masked_fill(~logits.read_BK, -torch.inf)
            ids_BK = torch.where(logits.read_BK, ids_BK, state.ids_BM.gather(1, logits.index_BK))
        if logits.index_BK is None:
            return Prediction(ids_BK, confidence_BK)
        all_BM = confidence_BK.new_full(state.ids_BM.shape, -torch.inf)
        return Prediction(
            state.ids_BM.scatter(1, logits.index_BK, ids_BK),
            all_BM.scatter_(1, logits.index_BK, confidence_BK),
        )

    def write(
        self, state: TokenState, found: Prediction, chosen_BM: Tensor, info: StepInfo
    ) -> tuple[TokenState, StepRecord | None]:
        """Put the chosen predictions in place."""
        ids_BM = torch.where(chosen_BM, found.ids, state.ids_BM)
        masked_BM = state.masked_BM & (ids_BM == self.facts.mask_id)
        new = TokenState(ids_BM, masked_BM, state.masks_B)
        return new, self._record(new, found, chosen_BM, info) if info.observed else None

    def _record(self, new: TokenState, found: Prediction, chosen_BM: Tensor, info: StepInfo) -> StepRecord:
        done_BM = (new.ids_BM != self.facts.mask_id).to(torch.float32)
        confidence_BM = found.confidence.masked_fill(found.confidence == -torch.inf, torch.nan)
        none_BM = torch.zeros_like(chosen_BM)
        a_BM = chosen_BM.to(torch.float32)
        return StepRecord(info, done_BM, a_BM, confidence_BM, found.ids, new.ids_BM, none_BM, chosen_BM)

    def _choose(self, values_BKV: Tensor, logits: Logits, info: StepInfo) -> Tensor:
        if self.settings.temperature == 0.0:
            return values_BKV.argmax(-1)
        exact = values_BKV.to(torch.float64)
        noise = self._gumbel(exact, logits, info)
        return (exact.exp() / (-noise.log()) ** self.settings.temperature).argmax(-1)

    def _gumbel(self, values_BKV: Tensor, logits: Logits, info: StepInfo) -> Tensor:
        rows, vocabulary = info.rows_B.tolist(), values_BKV.shape[-1]
        noise = []
        for index, row in enumerate(rows):
            size = info.block.positions_BM.shape[1]
            places_K = torch.arange(size) if logits.index_BK is None else logits.index_BK[index]
            if self.settings.noise_scope == "canvas":
                places_K = info.block.positions_BM[index][places_K]
                size = int(info.block.row_end_B[index])
            noise.append(self.noise.uniform(row, (size, vocabulary), torch.float64)[places_K])
        return torch.stack(noise)

    def _eos_columns(self) -> list[int]:
        """Upstream writes EOS into the noised tensor, which is the plain one only at temperature 0."""
        columns = [] if self.facts.eot_id is None else [self.facts.eot_id]
        if self.settings.confidence_eos_eot_inf == "corrected" or self.settings.temperature == 0.0:
            columns.append(self.facts.eos_id)
        return columns
