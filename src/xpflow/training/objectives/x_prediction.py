"""x-prediction alignment: clean inputs learn to predict themselves (Eq. 11-12).

The input is an ordinary hard-masked sequence, never a mixed state. With X_pred = softmax(Z) W_in, the paper's
loss is the mean over response tokens, masked and unmasked, of ||X_pred - X0||^2.

Deviation: `kl_weight` adds that weight times KL(reference || model), averaged over masked positions, which
keeps the masked predictions where pre-training left them instead of sharpening them. `clean_weight` adds
cross-entropy at unmasked positions: where a wrong token is certain, the squared error has no gradient left.
Both are 0 in the paper.

W_in is a constant of the loss (its gradient would pull the embeddings together); in full-parameter training
the table still learns through the model's input.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from xpflow.study.config.base import Block
from xpflow.training.corruption import Corrupted
from xpflow.training.objective import Cost, Loss, Objective, Term
from xpflow.training.student import Prediction, Student

Outputs = tuple[Prediction, Prediction | None]


class XPredictionSettings(Block):
    """Weights of what is added to the paper's loss."""

    kl_weight: float = Field(
        default=0.0, ge=0, description="Weight of KL(reference, model) at masked positions; 0 is the paper's"
    )
    clean_weight: float = Field(
        default=0.0,
        ge=0,
        description="Weight of the cross-entropy at unmasked positions, which still has a gradient where a "
        "wrong token is certain; 0 is the paper's",
    )


class XPredictionLoss(Loss):
    """||X_pred - X0||^2, and beside it what keeps the model's predictions."""

    everywhere = True

    def __init__(self, settings: XPredictionSettings) -> None:
        self.weights = {"error": 1.0, "kl": settings.kl_weight, "ce": settings.clean_weight}
        self.needs_reference = settings.kl_weight > 0

    def forward(self, student: Student, batch: Corrupted) -> Outputs:
        """Predict every response position, by the reference too where it is asked for."""
        reference = student.reference(batch) if self.needs_reference else None
        return student.predict(batch), reference

    def terms(self, outputs: Outputs, batch: Corrupted) -> Mapping[str, Term]:
        """Return the squared error over the response, KL over masked and cross-entropy over clean tokens."""
        prediction, reference = outputs
        over = {"error": batch.response_BK, "kl": batch.mask_BK, "ce": batch.clean_BK}
        wanted = [name for name, weight in self.weights.items() if weight > 0]
        found = prediction.terms(batch.target_BK, wanted, reference)
        return {name: Term(values, over[name], self.weights[name]) for name, values in found.items()}


def cost(settings: XPredictionSettings) -> Cost:
    """Return what the terms take: KL the reference, its logits and both log-softmaxes; ce a log-softmax."""
    kl, clean = settings.kl_weight > 0, settings.clean_weight > 0
    return Cost(free=int(kl), reference=kl, logit_bytes=16 * kl + 8 * clean)


OBJECTIVE = Objective(
    settings=XPredictionSettings,
    make=XPredictionLoss,
    about="clean tokens learn to predict their own embeddings (Eq. 11-12), by squared error",
    examples=({}, {"kl_weight": 0.3, "clean_weight": 0.3}),
    cost=cost,
)
