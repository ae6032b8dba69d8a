"""Masked diffusion as both architectures were pre-trained: cross-entropy at the masked positions."""

from __future__ import annotations

from collections.abc import Mapping

from xpflow.study.config.base import Block
from xpflow.training.corruption import Corrupted
from xpflow.training.objective import Loss, Objective, Term
from xpflow.training.student import Prediction, Student


class MaskedSettings(Block):
    """Nothing to choose: the number of masks is uniform (`xpflow.training.corruption`)."""


class MaskedLoss(Loss):
    """The mean over rows of a row's mean cross-entropy (nats) at its masked positions."""

    def forward(self, student: Student, batch: Corrupted) -> Prediction:
        """Predict every response position."""
        return student.predict(batch)

    def terms(self, outputs: Prediction, batch: Corrupted) -> Mapping[str, Term]:
        """Return the cross-entropy, over masked positions."""
        return {"ce": Term(outputs.terms(batch.target_BK, ["ce"])["ce"], batch.mask_BK)}


OBJECTIVE = Objective(
    settings=MaskedSettings,
    make=lambda settings: MaskedLoss(),
    about="cross-entropy at masked positions, their number uniform: what masked diffusion models minimise",
)
