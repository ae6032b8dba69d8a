"""On-policy uniform training (DMax, arXiv 2604.08302): answers from masks, and from the model's own drafts.

A share of the answer is masked and the student fills it by one forward without a gradient: its draft, errors
and all. A share of the rows then reads the draft, the others the masks; the target is the answer at every
response place, masked, drafted or clean. The decoder that belongs to such weights is `dmax`, whose tokens are
revised in every step. Source: the abstract; noise of 0.75, argmax and the loss over the whole response as
ports of the public training code (dFactory) give them. Others read that loss as one over masks alone (`over:
masked`).

    both: true      every row is read with its masks and with its draft, and both losses count: the forward
                    that drafts is then the one that is trained on masks, and none is free
    draft: sample   drafts are drawn from the student's distribution, as some descriptions have it

Deviations: a coin per row says which it reads, where the public data has a flag per example. All N response
places have a loss; the public code leaves out end tokens beyond the first 32.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from xpflow.masking.reverse import words_at
from xpflow.study.config.base import Block
from xpflow.training.corruption import Corrupted, laid_out
from xpflow.training.examples import Batch
from xpflow.training.objective import Cost, Loss, Objective, Term
from xpflow.training.states import draw_noise, hidden_ids, read, state_of, words
from xpflow.training.student import Prediction, Student


class OnPolicyDraftsSettings(Block):
    """Settings of `on_policy_drafts`."""

    noise_low: float = Field(default=0.75, ge=0, le=1, description="Least share of the answer that is masked")
    noise_high: float = Field(default=0.75, ge=0, le=1, description="Its largest share")
    on_policy: float = Field(default=0.5, ge=0, le=1, description="Share of the rows that read their draft")
    both: bool = Field(default=False, description="Every row is read twice: with its masks, and its draft")
    draft: Literal["argmax", "sample"] = Field(default="argmax", description="How masks are filled")
    over: Literal["response", "masked"] = Field(
        default="response", description="Where the loss is taken: everywhere, or where a mask or a draft is"
    )

    @model_validator(mode="after")
    def _noise_is_a_range(self) -> Self:
        if self.noise_low > self.noise_high:
            raise ValueError(f"noise_low ({self.noise_low:g}) is above noise_high ({self.noise_high:g})")
        return self


class OnPolicyDrafts(Loss):
    """Cross-entropy to the answer, from masks and from the student's drafts."""

    everywhere = True

    def __init__(self, settings: OnPolicyDraftsSettings) -> None:
        self.settings = settings

    def corrupt(self, batch: Batch, model: Any, generator: torch.Generator) -> Corrupted:
        """Return masked answers, and which rows read their draft."""
        clean, settings = laid_out(batch, model), self.settings
        rows = len(clean.target_BK)
        share_B1, flag_B1 = torch.rand(2, rows, 1, generator=generator).unbind()
        share_B1 = settings.noise_low + share_B1 * (settings.noise_high - settings.noise_low)
        coin_BK, word_BK = torch.rand(2, *clean.target_BK.shape, generator=generator).unbind()
        draws = {
            "noise_BK": draw_noise(clean, model, generator),
            "later_BK": torch.zeros_like(clean.response_BK),
            "drafts_BK": (flag_B1 < settings.on_policy).expand_as(clean.response_BK),
            "word_BK": word_BK,
        }
        drawn = clean.reading(clean.target_BK, clean.mask_BK, **draws)
        return state_of(drawn, clean.response_BK & (coin_BK < share_B1))

    def forward(self, student: Student, batch: Corrupted) -> Mapping[str, Prediction]:
        """Draft, and predict from what the rows read."""
        with torch.set_grad_enabled(self.settings.both and torch.is_grad_enabled()):
            first = student.predict(batch)
        draft_BK, drafted_BK = self._draft(first, batch, student.model), batch.mask_BK
        if not self.settings.both:
            drafted_BK = drafted_BK & batch.draws["drafts_BK"]
        ids_BK = torch.where(drafted_BK, draft_BK, batch.ids_BK)
        second = student.predict(batch.reading(ids_BK, batch.mask_BK))
        return {"masks": first, "drafts": second} if self.settings.both else {"ce": second}

    def _draft(self, prediction: Prediction, batch: Corrupted, model: Any) -> Tensor:
        hidden = hidden_ids(model.config)
        if self.settings.draft == "argmax":
            return read(prediction, batch.target_BK, hidden).guess_BK
        with torch.no_grad():
            return prediction.each(
                lambda logits, uniform: words_at(words(logits, hidden), uniform), batch.draws["word_BK"]
            )

    def terms(self, outputs: Mapping[str, Prediction], batch: Corrupted) -> Mapping[str, Term]:
        """Return the cross-entropy to the answer of each reading."""
        over_BK = batch.response_BK if self.settings.over == "response" else batch.mask_BK
        return {
            name: Term(prediction.terms(batch.target_BK, ["ce"])["ce"], over_BK)
            for name, prediction in outputs.items()
        }


def cost(settings: OnPolicyDraftsSettings) -> Cost:
    """Return the forwards: the draft's, with a gradient where it is trained too, and the reading's."""
    return Cost(trained=2, logit_bytes=12) if settings.both else Cost(free=1)


OBJECTIVE = Objective(
    settings=OnPolicyDraftsSettings,
    make=OnPolicyDrafts,
    about="answers from masks and from the model's own drafts (DMax)",
    examples=({}, {"both": True, "draft": "sample", "noise_low": 0.3, "over": "masked"}),
    cost=cost,
    only_with={"on_policy": ("both: false", lambda settings: not settings.both)},
)
