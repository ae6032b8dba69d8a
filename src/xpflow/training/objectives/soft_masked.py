"""Soft-Masked diffusion: masks carry a mixture of what a first forward predicts there (arXiv 2510.17206).

A hard-masked sequence is read once without a gradient. In a share of the rows, `soft_share`, the second
forward then sees (1 - w) m + w u at every mask: u the mean embedding of the first one's `top` best tokens, w
from its entropy by three learned scalars (`continuous.soft_mask`) with a learning rate of their own. The loss
is that of `masked`. The decoder is `soft_tokens` with `weighting: learned`.

Deviations: which rows are soft is drawn for each row, so that no row's loss depends on its batch. The scale
is a sigmoid that starts at 1/2 (see `SoftMask`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from xpflow.continuous.soft_mask import SoftMask
from xpflow.study.config.base import Block
from xpflow.training.corruption import Corrupted, masked
from xpflow.training.examples import Batch
from xpflow.training.objective import Cost, Objective
from xpflow.training.objectives.masked import MaskedLoss
from xpflow.training.student import Prediction, Student


class SoftMaskedSettings(Block):
    """Settings of `soft_masked`."""

    soft_share: float = Field(
        default=0.8, ge=0, le=1, description="p_sm: share of rows with soft masks; 1 harms, says the paper"
    )
    top: int = Field(default=3, ge=1, description="k: tokens in the mixture; the paper has 1 for code")
    scalar_rate: float = Field(
        default=0.01, ge=0, description="Peak learning rate of the three scalars; 0: the run's"
    )


class SoftMasked(MaskedLoss):
    """Cross-entropy at masks, soft or hard."""

    def __init__(self, settings: SoftMaskedSettings) -> None:
        self.settings = settings
        self.rates = {"soft_mask": settings.scalar_rate} if settings.scalar_rate else {}

    def modules(self, model: Any) -> Mapping[str, nn.Module]:
        """Return the three scalars."""
        return {"soft_mask": SoftMask()}

    def corrupt(self, batch: Batch, model: Any, generator: torch.Generator) -> Corrupted:
        """Return hard-masked sequences, and which rows are soft."""
        found = masked(batch, model, generator)
        soft_B = torch.rand(len(batch.prompt_B), generator=generator) < self.settings.soft_share
        return found.reading(found.ids_BK, found.mask_BK, soft_B=soft_B)

    def forward(self, student: Student, batch: Corrupted) -> Prediction:
        """Predict at masks that are soft in the rows that were drawn."""
        if not self.settings.soft_share:
            return student.predict(batch)
        with torch.no_grad():  # in all rows: processes must ask a sharded model equally often
            seen_BKT = student.predict(batch).each(self._seen)
        top = self.settings.top
        u_BKE = (seen_BKT[..., top:-1, None] * student.embed(seen_BKT[..., :top].long())).sum(-2)
        w_BK = student.extra["soft_mask"](seen_BKT[..., -1])
        w_BK = w_BK * batch.mask_BK * batch.draws["soft_B"][:, None]
        m_BKE = student.embed(batch.ids_BK)
        mixed_BKE = m_BKE + w_BK[..., None].to(m_BKE.dtype) * (u_BKE.to(m_BKE.dtype) - m_BKE)
        return student.predict(batch, mixed_BKE)

    def _seen(self, logits: Tensor) -> Tensor:
        """Return the best ids, their renormalised shares, and the entropy in nats, [..., 2 top + 1]."""
        log_p = logits.float().log_softmax(-1)
        best = log_p.topk(self.settings.top, dim=-1)
        entropy = torch.special.entr(log_p.exp()).sum(-1, keepdim=True)
        return torch.cat((best.indices.float(), best.values.softmax(-1), entropy), dim=-1)


OBJECTIVE = Objective(
    settings=SoftMaskedSettings,
    make=SoftMasked,
    about="masks carry what a first forward predicts there, by three learned scalars (Soft-Masked)",
    examples=({}, {"top": 1, "soft_share": 0.5}, {"soft_share": 0.0}),
    cost=lambda settings: Cost(free=int(settings.soft_share > 0), logit_bytes=4 * (settings.soft_share > 0)),
)
