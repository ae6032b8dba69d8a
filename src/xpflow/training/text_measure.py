"""A trained model of a MicroText world as a denoiser, and what the oracle says of it.

Special tokens are no answers: log-probabilities are those of the world's words alone. Every number has a
floor. A bound is given as what it lies above the sentence's true -log p(x), with the oracle as control
variate; samples have their exact likelihood; one step has its exact agreement.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from xpflow.errors import ConfigError
from xpflow.masking import orders
from xpflow.masking.agreement import Agreement, one_step
from xpflow.masking.alpha import Alpha, PowerWindows
from xpflow.masking.bound import draw_bound
from xpflow.masking.mask_noise import NoiseShape
from xpflow.masking.noisy_sampling import sample_noisy
from xpflow.masking.reverse import sample
from xpflow.masking.schedule import LearnedSchedule, Schedule
from xpflow.microtext.measure import Estimate, Quality, quality
from xpflow.microtext.world import World
from xpflow.training.student import Student

ROWS = 1024  # of a forward


class TextModel:
    """A student of a world, to be asked in words.

    schedule: what masks follow. Of a learned one, alphas come from the student's heads. prompt: what stands
    in front of a sentence (`text_run.text_prompt`).
    """

    def __init__(
        self, student: Student, world: World, schedule: Schedule, prompt: tuple[int, ...] = ()
    ) -> None:
        self.student, self.world, self.schedule, self.prompt = student, world, schedule, prompt

    def denoiser(self, ids_BL: Tensor, open_BL: Tensor) -> Tensor:
        """Return log p(x_i = v | places that are not open), [B, L, V], float64."""
        return self._log_p(self._hidden(self._embedded(ids_BL, open_BL, None)))

    def noisy_denoiser(self, ids_BL: Tensor, open_BL: Tensor, noise_BLW: Tensor) -> Tensor:
        """Return the same with masks that carry noise [B, L, numbers]."""
        return self._log_p(self._hidden(self._embedded(ids_BL, open_BL, noise_BLW)))

    def forward(self, ids_BL: Tensor) -> Alpha:
        """Return the alphas of the forward process of whole sentences."""
        return self._alpha(ids_BL, torch.zeros_like(ids_BL, dtype=torch.bool), "order")

    def reverse(self, ids_BL: Tensor, open_BL: Tensor) -> Alpha:
        """Return the alphas that sampling decides by."""
        return self._alpha(ids_BL, open_BL, "reverse")

    def predict(self, ids_BL: Tensor, open_BL: Tensor) -> tuple[Tensor, Alpha]:
        """Return log-probabilities and reverse alphas, by one forward."""
        hidden_BLD = self._hidden(self._embedded(ids_BL, open_BL, None))
        if isinstance(self.schedule, LearnedSchedule):
            return self._log_p(hidden_BLD), self._scored(self.schedule, hidden_BLD, "reverse")
        return self._log_p(hidden_BLD), self.schedule.alpha(ids_BL, open_BL)

    def _alpha(self, ids_BL: Tensor, open_BL: Tensor, head: str) -> Alpha:
        if not isinstance(self.schedule, LearnedSchedule):
            return self.schedule.alpha(ids_BL, open_BL)
        return self._scored(self.schedule, self._hidden(self._embedded(ids_BL, open_BL, None)), head)

    def _scored(self, schedule: LearnedSchedule, hidden_BLD: Tensor, head: str) -> Alpha:
        with torch.no_grad():
            return schedule.of_scores(self.student.extra[head](hidden_BLD).double().cpu())

    def _embedded(self, ids_BL: Tensor, open_BL: Tensor, noise_BLW: Tensor | None) -> Tensor:
        device = self.student.machine.device
        mask = self.student.model.config.mask_token_id
        with torch.no_grad():
            found_BLD = self.student.embed(ids_BL.masked_fill(open_BL, mask).to(device))
            if noise_BLW is not None:
                added_BLD = self.student.extra["noise"](noise_BLW.to(device))
                found_BLD = torch.where(open_BL.to(device)[..., None], found_BLD + added_BLD, found_BLD)
            front_PD = self.student.embed(torch.tensor(self.prompt, dtype=torch.long, device=device))
        return torch.cat((front_PD.expand(len(ids_BL), -1, -1), found_BLD), dim=1)

    def _hidden(self, embedded_BLD: Tensor) -> Tensor:
        with torch.no_grad(), self.student.machine.autocast(self.student.model):
            parts = [
                self.student.model(inputs_embeds=part_BLD, head=False).hidden
                for part_BLD in torch.split(embedded_BLD, ROWS)
            ]
        return torch.cat(parts)[:, len(self.prompt) :]

    def _log_p(self, hidden_BLD: Tensor) -> Tensor:
        with torch.no_grad(), self.student.machine.autocast(self.student.model):
            logits_BLV = self.student.model.get_output_embeddings()(hidden_BLD)[..., : self.world.size]
        log_p_BLV: Tensor = logits_BLV.double().log_softmax(-1).cpu()
        return log_p_BLV


@dataclass(frozen=True, slots=True)
class BoundScores:
    """A model's bound on sentences, in nats a sentence.

    floor: mean -log p(x) by the oracle. excess: the bound above it. main, velocity: its parts, as drawn.
    """

    floor: float
    excess: Estimate
    main: Estimate
    velocity: Estimate


@dataclass(frozen=True, slots=True)
class OrderScores:
    """What a learned schedule's orders are like.

    entropy: of the order, mean over sentences, in nats. most: log L!, of the uniform order. spread: mean over
    sentences of largest over smallest power.
    """

    entropy: float
    most: float
    spread: float


def bound_scores(
    model: TextModel, ids_NL: Tensor, draws: int = 1, seed: int = 0, shape: NoiseShape | None = None
) -> BoundScores:
    """Measure the bound of sentences of the model's world, or of another domain of it, zero-shot.

    The floor is that of `model.world`: for another domain, make a TextModel with that world. With a `shape`,
    masks carry noise that is drawn for each draw of the bound.
    """
    generator, world = torch.Generator().manual_seed(seed), model.world

    def denoiser(ids_BL: Tensor, open_BL: Tensor) -> Tensor:
        if shape is None:
            return model.denoiser(ids_BL, open_BL)
        return model.noisy_denoiser(ids_BL, open_BL, shape.draw(*_size(ids_BL), generator))

    main, velocity, excess = [], [], []
    with evaluating(model):
        for _ in range(draws):
            found = draw_bound(denoiser, model.forward, model.reverse, ids_NL, generator, world.denoiser)
            assert found.excess_B is not None
            main.append(found.parts.main_B)
            velocity.append(found.parts.velocity_B)
            excess.append(found.excess_B)
    means = (torch.stack(part).mean(0) for part in (excess, main, velocity))
    return BoundScores(-float(world.log_prob(ids_NL).mean()), *(Estimate.of(mean_N) for mean_N in means))


def sample_quality(
    model: TextModel, count: int, steps: int, seed: int = 0, shape: NoiseShape | None = None
) -> tuple[Quality, float]:
    """Draw sentences in `steps` steps by the model's own schedule; returns their quality and the mean NFE.

    With a `shape`, from masks whose noise is kept along the path, and by alpha = 1 - t.
    """
    generator, places = torch.Generator().manual_seed(seed), model.world.length
    with evaluating(model):
        if shape is not None:
            noise_BLW = shape.draw(count, places, generator)
            found = sample_noisy(model.noisy_denoiser, noise_BLW, shape, steps, generator)
        else:
            fixed = None if model.schedule.learned else model.reverse
            found = sample(model.predict, (count, places), steps, generator, fixed)
    return quality(model.world, found.ids_BL), float(found.nfe_B.double().mean())


def _size(ids_BL: Tensor) -> tuple[int, int]:
    return len(ids_BL), ids_BL.shape[1]


def order_scores(model: TextModel, ids_NL: Tensor) -> OrderScores:
    """Measure the orders that a learned schedule has for sentences.

    Raises:
        ConfigError: the schedule's orders are not Plackett-Luce (`masking.orders`).
    """
    with evaluating(model):
        alpha = model.forward(ids_NL)
    if not isinstance(alpha, PowerWindows) or bool((alpha.start_BL != 0).any() | (alpha.end_BL != 1).any()):
        raise ConfigError(
            "this schedule is not made of powers alone", hint="measure a learned one, or constant"
        )
    if ids_NL.shape[1] <= orders.EXACT_UP_TO:
        entropy_N = torch.cat([orders.entropy(part_BL) for part_BL in torch.split(alpha.power_BL, 16)])
    else:
        entropy_N = orders.sampled_entropy(alpha.power_BL, 16, torch.Generator().manual_seed(0)).mean(0)
    spread_N = alpha.power_BL.max(-1).values / alpha.power_BL.min(-1).values
    return OrderScores(float(entropy_N.mean()), orders.most_entropy(ids_NL.shape[1]), float(spread_N.mean()))


def step_agreement(model: TextModel, shape: NoiseShape | None, draws: int = 1024, seed: int = 0) -> Agreement:
    """Measure one step from all masks; `shape` is that of the model's mask noise, None for a plain model."""
    world = model.world
    nothing_SL = torch.zeros(draws if shape else 1, world.length, dtype=torch.long)
    every_SL = torch.ones_like(nothing_SL, dtype=torch.bool)
    with evaluating(model):
        if shape is None:
            return one_step(model.denoiser(nothing_SL, every_SL))
        noise_SLW = shape.draw(draws, world.length, torch.Generator().manual_seed(seed))
        return one_step(model.noisy_denoiser(nothing_SL, every_SL, noise_SLW))


@contextmanager
def evaluating(model: TextModel) -> Iterator[None]:
    """Put the student into evaluation for the time of a measurement."""
    was = model.student.training
    model.student.eval()
    try:
        yield
    finally:
        model.student.train(was)
