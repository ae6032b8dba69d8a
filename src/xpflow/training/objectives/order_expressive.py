"""Masked diffusion under any schedule alpha(u, t), fixed or learned (OeMDM and LoMDM, arXiv 2602.02112).

The loss is the bound in nats a token, in two parts: `main`, cross-entropy weighted by the velocity of each
place, and for a learned schedule `velocity`, what the reverse process loses by deciding at other rates. With
`constant` it is masked diffusion, with `ordered` an autoregressive model, one target a forward.

A learned schedule takes three forwards an update: the clean sentence, whose features say the powers, and two
draws of masks; a fixed one can have two draws as well (`states`). Heads read features without their gradient;
the powers learn through the velocities, and by the score function with each draw as the other's baseline.
What is logged as `main` and `velocity` is the mean of both draws; the score's term is 0 in value.

Deviations: times are drawn by importance, not uniformly (`xpflow.masking.alpha`), which leaves every gradient
unbiased and gives it a variance; clamps at 1e-6 are then not needed. Fixed schedules draw no masks that have
no loss (`working_masks`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from xpflow.errors import ConfigError
from xpflow.masking.alpha import Alpha, uniform_numbers, working_masks
from xpflow.masking.bound import Parts, integrand, loss_of_two
from xpflow.masking.schedule import LearnedSchedule, make_schedule
from xpflow.training.corruption import Corrupted, block_length, laid_out, noisy_ids
from xpflow.training.examples import Batch
from xpflow.training.objective import Cost, Loss, Objective, Term
from xpflow.training.student import Prediction, Student


class OrderSettings(BaseModel):
    """A schedule's name; all other settings are the schedule's own."""

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)

    schedule: str = Field(
        default="constant", description="Name of a schedule, or FILE.py:NAME; its settings beside it"
    )
    head_rate: float = Field(
        default=0.0, ge=0, description="Peak learning rate of a learned schedule's heads; 0: the run's"
    )
    states: Literal[1, 2] | None = Field(
        default=None,
        description="Noisy states of a sentence in an update; null: 2 of a learned schedule, else 1",
    )

    @property
    def two(self) -> bool:
        """Whether an update has two noisy states of a sentence.

        Raises:
            ConfigError: one state is asked for under a learned schedule.
        """
        learned = make_schedule(self.schedule, self.model_extra).learned
        if learned and self.states == 1:
            raise ConfigError(
                f"schedule {self.schedule} learns from two states, each the other's baseline",
                hint="leave `states` out",
            )
        return learned or self.states == 2


@dataclass(frozen=True, slots=True)
class Outputs:
    """The loss of each row, [B], and its two parts."""

    loss_B: Tensor
    main_B: Tensor
    velocity_B: Tensor


class OrderExpressive(Loss):
    """The bound of one schedule."""

    def __init__(self, settings: OrderSettings) -> None:
        self.schedule = make_schedule(settings.schedule, settings.model_extra)
        self.rates = dict.fromkeys(("order", "reverse"), settings.head_rate) if settings.head_rate else {}
        self.draws = ("first_BLU", "second_BLU") if settings.two else ("first_BLU",)

    def modules(self, model: Any) -> Mapping[str, nn.Module]:
        """Return the heads of a learned schedule."""
        return self.schedule.modules(model.config) if isinstance(self.schedule, LearnedSchedule) else {}

    def corrupt(self, batch: Batch, model: Any, generator: torch.Generator) -> Corrupted:
        """Return the clean batch with the uniform numbers of its times and of two draws of masks.

        Raises:
            ConfigError: the model is block-causal, which is a schedule of its own.
        """
        if block_length(model):
            raise ConfigError(
                "a block-causal model has an order of its own",
                hint="train a dense model, with the schedule blocks",
            )
        clean = laid_out(batch, model)
        time_BU, first_BLU = uniform_numbers(*_shape(clean), generator)
        _, second_BLU = uniform_numbers(*_shape(clean), generator)
        draws = {"time_BU": time_BU, "first_BLU": first_BLU, "second_BLU": second_BLU}
        return clean.reading(clean.target_BK, clean.mask_BK, **draws)

    def forward(self, student: Student, batch: Corrupted) -> Outputs:
        """Draw masks and ask the student at them: one or two draws, and the clean sentence for its powers."""
        if isinstance(self.schedule, LearnedSchedule):
            return self._learned(self.schedule, student, batch)
        alpha = self.schedule.alpha(batch.target_BK, batch.mask_BK)
        t_B, found = alpha.time(batch.draws["time_BU"]), []
        for name in self.draws:
            mask_BK, chance_B = working_masks(alpha, t_B, batch.draws[name])
            noisy = _noisy(student, batch, mask_BK)
            back = self.schedule.alpha(batch.target_BK, mask_BK)
            found.append(_parts(student.predict(noisy), noisy, alpha, back, t_B).scaled(chance_B))
        main_B = torch.stack([parts.main_B for parts in found]).mean(0)
        velocity_B = torch.stack([parts.velocity_B for parts in found]).mean(0)
        return Outputs(main_B + velocity_B, main_B, velocity_B)

    def _learned(self, schedule: LearnedSchedule, student: Student, batch: Corrupted) -> Outputs:
        with torch.no_grad():
            clean = student.predict(batch, hidden=True)
        alpha = schedule.of_scores(_scores(student, "order", clean))
        t_B, found = alpha.time(batch.draws["time_BU"]), []
        for name in ("first_BLU", "second_BLU"):
            noisy = _noisy(student, batch, alpha.mask_times(batch.draws[name]).detach() <= t_B[:, None])
            prediction = student.predict(noisy, hidden=True)
            back = schedule.of_scores(_scores(student, "reverse", prediction))
            found.append((noisy.mask_BK, _parts(prediction, noisy, alpha, back, t_B)))
        (first_BL, first), (second_BL, second) = found
        loss_B = loss_of_two(alpha, t_B, (first_BL, second_BL), (first, second))
        return Outputs(loss_B, (first.main_B + second.main_B) / 2, (first.velocity_B + second.velocity_B) / 2)

    def terms(self, outputs: Outputs, batch: Corrupted) -> Mapping[str, Term]:
        """Return the parts in nats a token; what gives the powers their gradient is 0 in value."""
        tokens = batch.response_BK.sum(-1)
        rest_B = outputs.loss_B - outputs.main_B - outputs.velocity_B
        parts = {"main": outputs.main_B, "velocity": outputs.velocity_B, "score": rest_B}
        kept = parts if self.schedule.learned else {"main": outputs.main_B}
        return {name: Term((values_B / tokens).float()) for name, values_B in kept.items()}


def _shape(clean: Corrupted) -> tuple[int, int]:
    return len(clean.target_BK), clean.target_BK.shape[1]


def _noisy(student: Student, batch: Corrupted, mask_BK: Tensor) -> Corrupted:
    return batch.reading(noisy_ids(student.model, batch.target_BK, mask_BK), mask_BK)


def _scores(student: Student, name: str, prediction: Prediction) -> Tensor:
    """Return what a head says of a forward's features, in float64; the features keep their gradient out."""
    assert prediction.hidden is not None
    scores_BK: Tensor = student.extra[name](prediction.hidden.states_BKD.detach())
    return scores_BK.double()


def _parts(prediction: Prediction, noisy: Corrupted, alpha: Alpha, back: Alpha, t_B: Tensor) -> Parts:
    """Return both parts of the bound of a draw, weighted by how likely its time was."""
    ce_BK = prediction.terms(noisy.target_BK, ["ce"])["ce"]
    return integrand(alpha, back, t_B, noisy.mask_BK, ce_BK).scaled(1 / alpha.density(t_B))


def cost(settings: OrderSettings) -> Cost:
    """Return the forwards of an update: one for each noisy state, and a learned schedule's clean one."""
    learned = make_schedule(settings.schedule, settings.model_extra).learned
    return Cost(trained=1 + settings.two, free=int(learned))


OBJECTIVE = Objective(
    settings=OrderSettings,
    make=OrderExpressive,
    about="the bound under any masking schedule, fixed or learned (OeMDM, LoMDM)",
    examples=(
        {},
        {"states": 2},
        {"schedule": "blocks", "block": 8},
        {"schedule": "learned", "head_rate": 2e-3},
    ),
    cost=cost,
)
