"""Mixed states: the student walks as flow does, and learns the answer from between mask and token.

Ours. Alignment learns from hard masks only (`x_prediction`), and flow then reads mixtures that the model has
never seen. Here the states of a flow decode are what is learned from: every place moves from the mask's
embedding towards that of a token by a = c^power of the student's own confidence, doubtful ones go back
(re-editing), and the surest is committed. `states` of them are visited one after the other. The first has all
masks (a share of the rows), or random masks of the answer some of which are on their way already. In a share
of the rows places move towards the student's own best token, errors and all, as the decoder does; in the
others towards the teacher's. The target is the answer at every response place: flow reads what the model says
of committed tokens too, and takes back those that it doubts. The steps are those of x-prediction flow, Eq.
4-10, with its step fraction that learns nothing (`flow` with policy "confidence:8").

Block-causal models walk in all blocks at once, on their two copies. Each block commits its surest place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from xpflow.study.config.base import Block
from xpflow.training.corruption import Corrupted, draw_masks, laid_out
from xpflow.training.examples import Batch
from xpflow.training.objective import Cost, Loss, Objective, Term, row_means
from xpflow.training.states import draw_noise, hidden_ids, read, surest
from xpflow.training.student import Prediction, Student

COMMIT_BELOW = 0.99  # t of the places that wait for their commitment; flow's default


class MixedStatesSettings(Block):
    """Settings of `mixed_states`; the steps are flow's, with its defaults."""

    states: int = Field(default=3, gt=0, description="States visited for each prompt")
    all_masks: float = Field(
        default=0.7, ge=0, le=1, description="Share of rows whose first state is all masks; else mixed ones"
    )
    own: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Share of rows that move to the student's tokens, not the answer's",
    )
    power: float = Field(default=8.0, ge=0, description="A place moves by a = c^power")
    reedit: bool = Field(default=True, description="Places of which the student doubts go back (Eq. 10)")
    reedit_margin: float = Field(default=0.1, ge=0, description="They do where c - t < -margin")
    over: Literal["response", "open"] = Field(
        default="response", description="Where the loss is taken: everywhere, or where t is below 1"
    )


@dataclass(frozen=True, slots=True)
class Walk:
    """Where every place stands: what the model reads [B, K, D], and progress t [B, K]."""

    x_BKD: Tensor
    t_BK: Tensor


class MixedStates(Loss):
    """Cross-entropy to the answer, over the states of a walk."""

    everywhere = True

    def __init__(self, settings: MixedStatesSettings) -> None:
        self.settings = settings

    def corrupt(self, batch: Batch, model: Any, generator: torch.Generator) -> Corrupted:
        """Return masked answers, how far each place is at first, and whose tokens a row moves to."""
        clean, settings = laid_out(batch, model), self.settings
        mask_BK = draw_masks(clean, model, generator)
        noise_BK = draw_noise(clean, model, generator)
        all_B1, own_B1, far_B1 = torch.rand(3, len(mask_BK), 1, generator=generator).unbind()
        start_BK = torch.rand(mask_BK.shape, generator=generator) * far_B1
        all_B1 = all_B1 < settings.all_masks
        mask_BK = torch.where(all_B1, clean.response_BK, mask_BK)
        t_BK = torch.where(mask_BK, start_BK.masked_fill(all_B1, 0.0), 1.0)
        own_BK = (own_B1 < settings.own).expand_as(mask_BK)
        return clean.reading(
            torch.where(mask_BK, noise_BK, clean.target_BK),
            mask_BK,
            noise_BK=noise_BK,
            t_BK=t_BK,
            own_BK=own_BK,
        )

    def forward(self, student: Student, batch: Corrupted) -> Sequence[tuple[Prediction, Tensor]]:
        """Walk, and return each state's prediction with the places that its loss is over."""
        target_BKD, mask_BKD = student.embed(batch.target_BK), student.embed(batch.draws["noise_BK"])
        t_BK = batch.draws["t_BK"]
        walk, found = Walk(_between(mask_BKD, target_BKD, t_BK), t_BK), []
        for number in range(self.settings.states):
            prediction = student.predict(batch, walk.x_BKD)
            found.append((prediction, self._over(walk, batch)))
            if number + 1 < self.settings.states:
                walk = self._step(walk, prediction, batch, student, mask_BKD)
        return found

    def _over(self, walk: Walk, batch: Corrupted) -> Tensor:
        if self.settings.over == "response":
            return batch.response_BK
        return batch.response_BK & (walk.t_BK < 1.0)

    def _step(
        self, walk: Walk, prediction: Prediction, batch: Corrupted, student: Student, mask_BKD: Tensor
    ) -> Walk:
        """Return the next state: move, go back, commit. Step sizes and tokens are constants of the loss."""
        seen = read(prediction, batch.target_BK, hidden_ids(student.model.config))
        c_BK = seen.confidence_BK.to(walk.t_BK.dtype)
        to_BKD = student.embed(torch.where(batch.draws["own_BK"], seen.guess_BK, batch.target_BK))
        a_BK = c_BK**self.settings.power * (batch.response_BK & (walk.t_BK < 1.0))
        x_BKD, t_BK = _between(walk.x_BKD, to_BKD, a_BK), 1.0 - (1.0 - a_BK) * (1.0 - walk.t_BK)  # Eq. 5-8
        if self.settings.reedit:
            back_BK = batch.response_BK & (c_BK - t_BK < -self.settings.reedit_margin)
            x_BKD = torch.where(back_BK[..., None], _between(mask_BKD, to_BKD, c_BK), x_BKD)  # Eq. 10
            t_BK = torch.where(back_BK, c_BK, t_BK)
        waiting_BK = batch.response_BK & (t_BK < COMMIT_BELOW)
        commit_BK = surest(c_BK, waiting_BK, student.model)
        return Walk(torch.where(commit_BK[..., None], to_BKD, x_BKD), t_BK.masked_fill(commit_BK, 1.0))

    def terms(self, outputs: Sequence[tuple[Prediction, Tensor]], batch: Corrupted) -> Mapping[str, Term]:
        """Return the cross-entropy to the answer: a row's mean over the places of its states."""
        values = [prediction.terms(batch.target_BK, ["ce"])["ce"] for prediction, _ in outputs]
        return {
            "ce": Term(row_means(torch.cat(values, dim=1), torch.cat([over for _, over in outputs], dim=1)))
        }


def _between(from_BKD: Tensor, to_BKD: Tensor, share_BK: Tensor) -> Tensor:
    """Return from + share (to - from), in the precision of the embeddings."""
    return torch.lerp(from_BKD, to_BKD, share_BK.to(from_BKD.dtype)[..., None])


OBJECTIVE = Objective(
    settings=MixedStatesSettings,
    make=MixedStates,
    about="the answer from states between mask and token, as flow visits them by the student's confidence",
    examples=({}, {"states": 2, "power": 1.0, "own": 1.0, "reedit": False, "over": "open"}),
    only_with={"reedit_margin": ("reedit: true", lambda settings: settings.reedit)},
    cost=lambda settings: Cost(trained=settings.states, logit_bytes=12 * (settings.states - 1)),
)
