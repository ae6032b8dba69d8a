"""Forced trajectories: the student visits its own states, and the teacher's tokens are written into them.

Ours; the nearest relatives are in docs/few_step.md. For each prompt `states` states are visited one after the
other. The first is all masks (a share of the rows) or random masks of the teacher's answer. From each to the
next, masks give way to the *teacher's* tokens where the student is confident (at least tau) and at its surest
place in any case: the order and the pace are the student's, the tokens never are, so that no state is wrong.
tau is drawn for each row: 0 for a share of the rows, which see their first state only, otherwise uniform. The
loss is taken at the masked places of all states. The forward that a state's loss needs chooses the next state
too, so `states` states take `states` forwards and no more. With one state, all of random masks, it is the
objective `masked`.

Block-causal models visit the states of all blocks at once, on their two copies. Each block has a
surest place.

Options, all off at first:
    teacher: distribution   the target is what the model before the run says of a place when it sees the
                            teacher's answer at all places but one in `looks` of them: KL, not its argmax
    keep_weight             KL(model before the run || student) at masked places of which the former is unsure
    rollback                tokens written in an earlier state are masked again where it finds them unlikely
    block                   states of one drawn block of a dense model: what decoders with such blocks visit
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from xpflow.study.config.base import Block
from xpflow.training.corruption import Corrupted, draw_masks, laid_out
from xpflow.training.examples import Batch
from xpflow.training.objective import Cost, Loss, Objective, Term, row_means
from xpflow.training.states import draw_noise, draw_window, hidden_ids, rank_within, read, state_of, surest
from xpflow.training.student import Prediction, Student


class ForcedSettings(Block):
    """Settings of `forced`; the defaults are those that were found to work."""

    states: int = Field(default=3, gt=0, description="States visited for each prompt")
    all_masks: float = Field(
        default=0.7, ge=0, le=1, description="Share of rows whose first state is all masks; else random masks"
    )
    tau_zero: float = Field(default=0.25, ge=0, le=1, description="Share of rows with tau 0")
    tau_low: float = Field(
        default=0.3, ge=0, description="Least tau of the others; above 1: one token a state"
    )
    tau_high: float = Field(default=0.99, ge=0, description="Largest tau of the others")
    mean: Literal["places", "states"] = Field(
        default="places",
        description="A row's loss: mean over the masked places of its states, or mean of the states' means",
    )
    teacher: Literal["answer", "distribution"] = Field(
        default="answer", description="Target: the answer's tokens, or the informed model's probabilities"
    )
    looks: int = Field(
        default=2, gt=1, description="Forwards of the informed model; each hides one in so many places"
    )
    keep_weight: float = Field(default=0.0, ge=0, description="Weight of what keeps unsure predictions")
    keep_below: float = Field(
        default=0.5, ge=0, le=1, description="Confidence of the model before the run that counts as unsure"
    )
    rollback: float = Field(
        default=0.0, ge=0, le=1, description="Probability below which a token is masked again; 0: never"
    )
    block: int = Field(default=0, ge=0, description="Places of a dense model's window; 0: the response")

    @model_validator(mode="after")
    def _tau_is_a_range(self) -> Self:
        if self.tau_low > self.tau_high:
            raise ValueError(f"tau_low ({self.tau_low:g}) is above tau_high ({self.tau_high:g})")
        return self


@dataclass(frozen=True, slots=True)
class Visit:
    """A state, what the student says of it, and what the model before the run does (None: not asked)."""

    state: Corrupted
    prediction: Prediction
    base: Prediction | None


@dataclass(frozen=True, slots=True)
class Visits:
    """All states of a batch, and the informed model's predictions, one for each look."""

    visits: Sequence[Visit]
    informed: Sequence[Prediction]


class Forced(Loss):
    """The loss over states that the student chose and the teacher filled."""

    def __init__(self, settings: ForcedSettings) -> None:
        self.settings = settings
        self.soft = settings.teacher == "distribution"
        self.needs_reference = self.soft or settings.keep_weight > 0

    def corrupt(self, batch: Batch, model: Any, generator: torch.Generator) -> Corrupted:
        """Return the first states, with each row's tau, window and looks."""
        clean, settings = laid_out(batch, model), self.settings
        window = draw_window(clean, model, settings.block, generator)
        mask_BK = draw_masks(replace(clean, response_BK=window.inside_BK), model, generator)
        noise_BK = draw_noise(clean, model, generator)
        every_B, zero_B, tau_B = torch.rand(3, len(mask_BK), generator=generator).unbind()
        mask_BK = torch.where((every_B < settings.all_masks)[:, None], window.inside_BK, mask_BK)
        tau_B = settings.tau_low + (settings.tau_high - settings.tau_low) * tau_B
        key_BK = torch.rand(mask_BK.shape, generator=generator)
        draws = {
            "noise_BK": noise_BK,
            "later_BK": window.later_BK,
            "tau_B": tau_B.masked_fill(zero_B < settings.tau_zero, 0.0),
            "look_BK": rank_within(key_BK, window.inside_BK, model) % settings.looks,
        }
        return state_of(clean.reading(clean.target_BK, clean.mask_BK, **draws), mask_BK)

    def forward(self, student: Student, batch: Corrupted) -> Visits:
        """Visit the states; all of them are asked about, also where no mask is left."""
        found, mask_BK = list[Visit](), batch.mask_BK
        for number in range(self.settings.states):
            state = state_of(batch, mask_BK)
            base = student.reference(state) if self.settings.keep_weight else None
            found.append(Visit(state, student.predict(state), base))
            if number + 1 < self.settings.states:
                mask_BK = self._next(found[-1], batch, student.model)
        looks = range(self.settings.looks) if self.soft else ()
        return Visits(found, [student.reference(self._look(batch, number)) for number in looks])

    def _next(self, visit: Visit, first: Corrupted, model: Any) -> Tensor:
        """Return the masks of the next state, [B, K]."""
        mask_BK = visit.state.mask_BK
        seen = read(visit.prediction, first.target_BK, hidden_ids(model.config))
        sure_BK = seen.confidence_BK >= first.draws["tau_B"][:, None]
        reveal_BK = mask_BK & (sure_BK | surest(seen.confidence_BK, mask_BK, model))
        unlikely_BK = first.mask_BK & ~mask_BK & (seen.support_BK < self.settings.rollback)
        return (mask_BK & ~reveal_BK) | unlikely_BK

    def _look(self, batch: Corrupted, number: int) -> Corrupted:
        """Return the answer with masks at the places that a look is about."""
        inside_BK = batch.response_BK & ~batch.draws["later_BK"]
        return state_of(batch, inside_BK & (batch.draws["look_BK"] == number))

    def terms(self, outputs: Visits, batch: Corrupted) -> Mapping[str, Term]:
        """Return cross-entropy to the answer, or KL to the informed model, and what keeps the unsure."""
        masks = [visit.state.mask_BK for visit in outputs.visits]
        name = "kl" if self.soft else "ce"
        values = [self._error(visit.prediction, outputs.informed, batch) for visit in outputs.visits]
        found = {name: Term(self._rows(values, masks))}
        if weight := self.settings.keep_weight:
            kept = [self._kept(visit, batch.target_BK) for visit in outputs.visits]
            rows_B = self._rows([kl_BK for kl_BK, _ in kept], [over_BK for _, over_BK in kept])
            found["keep"] = Term(rows_B, weight=weight)
        return found

    def _error(self, prediction: Prediction, informed: Sequence[Prediction], batch: Corrupted) -> Tensor:
        if not self.soft:
            return prediction.terms(batch.target_BK, ["ce"])["ce"]
        kl_BK = torch.zeros_like(batch.mask_BK, dtype=torch.float32)
        for number, teacher in enumerate(informed):
            about_BK = batch.draws["look_BK"] == number
            kl_BK = kl_BK + prediction.terms(batch.target_BK, ["kl"], teacher)["kl"] * about_BK
        return kl_BK

    def _kept(self, visit: Visit, target_BK: Tensor) -> tuple[Tensor, Tensor]:
        """Return KL(model before the run || student), and the masked places at which that one is unsure."""
        assert visit.base is not None
        unsure_BK = read(visit.base, target_BK, []).confidence_BK < self.settings.keep_below
        kl_BK = visit.prediction.terms(target_BK, ["kl"], visit.base)["kl"]
        return kl_BK, visit.state.mask_BK & unsure_BK

    def _rows(self, values: Sequence[Tensor], masks: Sequence[Tensor]) -> Tensor:
        """Return each row's mean, [B]: over all places of its states, or over states that have any."""
        if self.settings.mean == "places":
            return row_means(torch.cat(list(values), dim=1), torch.cat(list(masks), dim=1))
        means_BS = torch.stack([row_means(*pair) for pair in zip(values, masks, strict=True)], dim=1)
        return row_means(means_BS, torch.stack([mask_BK.any(-1) for mask_BK in masks], dim=1))


def cost(settings: ForcedSettings) -> Cost:
    """Return the forwards of an update: one for each state, free ones for looks and for what is kept."""
    soft, keep = settings.teacher == "distribution", settings.keep_weight > 0
    return Cost(
        trained=settings.states,
        free=settings.looks * soft + settings.states * keep,
        reference=soft or keep,
        logit_bytes=12 * (settings.states - 1) + 4 * settings.looks * soft + 16 * (soft or keep),
    )


OBJECTIVE = Objective(
    settings=ForcedSettings,
    make=Forced,
    about="states that the student chooses and the teacher's tokens fill: own answers in few forwards",
    examples=(
        {},
        {"states": 2, "block": 4, "mean": "states", "rollback": 0.2},
        {"teacher": "distribution", "looks": 3, "keep_weight": 0.5, "keep_below": 0.9},
    ),
    cost=cost,
    only_with={
        "looks": ("teacher: distribution", lambda settings: settings.teacher == "distribution"),
        "keep_below": ("a keep_weight above 0", lambda settings: settings.keep_weight > 0),
        **dict.fromkeys(
            ("tau_low", "tau_high"), ("tau_zero below 1", lambda settings: settings.tau_zero < 1)
        ),
    },
)
