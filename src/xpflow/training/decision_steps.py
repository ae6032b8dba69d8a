"""When the tokens of an answer were decided: the trajectory of a decode, as one number for each token.

A token counts as decided in the forward that gave it its final value, so decoders that revise are read as
well as decoders that only commit. What a decode never wrote, or overwrote behind its first EOS, counts as
decided in the row's last forward.
"""

from __future__ import annotations

import torch
from torch import Tensor

from xpflow.decoding.stepper import StepRecord
from xpflow.noise import NO_TOKEN


class DecisionSteps:
    """An observer of `decode` for `rows` answers of `length` tokens."""

    def __init__(self, rows: int, length: int) -> None:
        self._seen_RN = torch.full((rows, length), NO_TOKEN)
        self._step_RN = torch.zeros(rows, length, dtype=torch.long)
        self._passes_R = torch.zeros(rows, dtype=torch.long)

    def __call__(self, record: StepRecord) -> None:
        """Note which tokens a step changed."""
        rows_B, block = record.info.rows_B.cpu(), record.info.block
        offset_BM, inside_BM = block.offset_BM.cpu(), block.open_BM.cpu()
        inside_BM = inside_BM & (offset_BM >= 0) & (offset_BM < self._seen_RN.shape[1])
        which_BM = rows_B[:, None].expand_as(offset_BM)[inside_BM]
        place, tokens = offset_BM[inside_BM], record.tokens_BM.cpu()[inside_BM]
        changed = self._seen_RN[which_BM, place] != tokens
        self._seen_RN[which_BM, place] = tokens
        self._step_RN[which_BM[changed], place[changed]] = self._passes_R[which_BM[changed]]
        self._passes_R[rows_B] += 1

    def of(self, tokens_RN: Tensor) -> Tensor:
        """Return each token's step, [rows, length], counted from 0 by the row's own forwards."""
        last_R1 = (self._passes_R - 1).clamp(min=0)[:, None]
        return torch.where(self._seen_RN == tokens_RN.cpu(), self._step_RN, last_R1)
