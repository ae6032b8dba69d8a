"""Certainty forcing (dParallel, arXiv 2509.26488): what is right shall be certain, everywhere at once.

The data are the model's own answers. A block is drawn, what is left of it is clean and what is right of it
masked; within it a share of the places is masked, and in a second forward the others (their complement). The
loss is cross-entropy to the answer at the masked places of the block, plus a weight times the entropy of
softmax(z / T) at those of them whose argmax is right already. Both halves are added.
Source: the abstract, and the public llada_train.py for the rest: temperature, weight, share and block.

Block-causal models: every block of the response is such a block, on its noisy copy.

Deviations: means are taken over a row's own places, not over those of the batch. The block behind a response
that ends with a block is never drawn (the public code draws it, and such a row has no loss).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from xpflow.study.config.base import Block
from xpflow.training.corruption import Corrupted, laid_out
from xpflow.training.examples import Batch
from xpflow.training.objective import Cost, Loss, Objective, Term, row_means
from xpflow.training.states import draw_noise, draw_window, state_of
from xpflow.training.student import Prediction, Student

Halves = Sequence[tuple[Corrupted, Prediction]]


class CertaintySettings(Block):
    """How certainty is measured, and how much it counts."""

    certainty_weight: float = Field(default=2.0, ge=0, description="Weight of the entropy where it is right")
    temperature: float = Field(default=0.5, gt=0, description="T of the distribution whose entropy is taken")


OF_CERTAINTY: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "temperature": ("a certainty_weight above 0", lambda settings: settings.certainty_weight > 0),
}


class CertaintyForcingSettings(CertaintySettings):
    """Settings of `certainty_forcing`."""

    mask_ratio: float = Field(default=0.5, gt=0, le=1, description="Share of the block's places masked first")
    complement: bool = Field(default=True, description="A second forward masks the block's other places")
    block: int = Field(default=32, ge=0, description="Places of a dense model's block; 0: the response")


def entropy_of(prediction: Prediction, temperature: float) -> Tensor:
    """Return the entropy of softmax(z / T) at every place, [B, K] (nats)."""

    def entropy(logits: Tensor) -> Tensor:
        log_p = (logits.float() / temperature).log_softmax(-1)
        return -(log_p.exp() * log_p.clamp(min=torch.finfo(log_p.dtype).min)).sum(-1)

    return prediction.each(entropy)


def certainty_terms(halves: Halves, settings: CertaintySettings) -> dict[str, Term]:
    """Return cross-entropy at masked places, and entropy at those that are right; sums over the halves."""
    ce_B, certainty_B = [], []
    for state, prediction in halves:
        found = prediction.terms(state.target_BK, ["ce", "right"])
        ce_B.append(row_means(found["ce"], state.mask_BK))
        if settings.certainty_weight:
            right_BK = state.mask_BK & (found["right"] > 0)
            certainty_B.append(row_means(entropy_of(prediction, settings.temperature), right_BK))
    terms = {"ce": Term(torch.stack(ce_B).sum(0))}
    if certainty_B:
        terms["certainty"] = Term(torch.stack(certainty_B).sum(0), weight=settings.certainty_weight)
    return terms


class CertaintyForcing(Loss):
    """Cross-entropy and certainty in two complementary halves of a block."""

    def __init__(self, settings: CertaintyForcingSettings) -> None:
        self.settings = settings

    def corrupt(self, batch: Batch, model: Any, generator: torch.Generator) -> Corrupted:
        """Return the first half, with the window that both share."""
        clean = laid_out(batch, model)
        window = draw_window(clean, model, self.settings.block, generator)
        coin_BK = torch.rand(clean.target_BK.shape, generator=generator)
        noise_BK = draw_noise(clean, model, generator)
        draws = {"noise_BK": noise_BK, "later_BK": window.later_BK, "inside_BK": window.inside_BK}
        drawn = clean.reading(clean.target_BK, clean.mask_BK, **draws)
        return state_of(drawn, window.inside_BK & (coin_BK < self.settings.mask_ratio))

    def forward(self, student: Student, batch: Corrupted) -> Halves:
        """Predict both halves."""
        states = [batch]
        if self.settings.complement:
            states.append(state_of(batch, batch.draws["inside_BK"] & ~batch.mask_BK))
        return [(state, student.predict(state)) for state in states]

    def terms(self, outputs: Halves, batch: Corrupted) -> Mapping[str, Term]:
        """Return cross-entropy and certainty."""
        return certainty_terms(outputs, self.settings)


def cost(settings: CertaintyForcingSettings) -> Cost:
    """Return the forwards: one for each half; entropy keeps a second softmax, and its log."""
    trained = 1 + settings.complement
    entropy = 8 * trained * (settings.certainty_weight > 0)
    return Cost(trained=trained, logit_bytes=12 * (trained - 1) + entropy)


OBJECTIVE = Objective(
    settings=CertaintyForcingSettings,
    make=CertaintyForcing,
    about="own answers, and certainty wherever the model is right (dParallel)",
    examples=({}, {"block": 4, "complement": False}),
    only_with=OF_CERTAINTY,
    cost=cost,
)
