"""A trained model of a MicroText world as a denoiser, and what the oracle says of it.

Special tokens are no answers: log-probabilities are those of the world's words alone. Every number has a
floor. A bound is given as what it lies above the sentence's true -log p(x), with the oracle as control
variate; samples have their exact likelihood; one step has its exact agreement.
"""

from __future__ import annotations

from dataclasses import asdict
from itertools import product
from typing import Any

import torch
from torch import Tensor

from xpflow.masking.agreement import Agreement, one_step
from xpflow.masking.bound import draw_bound
from xpflow.masking.mask_noise import NoiseShape
from xpflow.masking.noisy_sampling import sample_noisy
from xpflow.masking.reverse import Sampled, sample
from xpflow.masking.schedule import Schedule
from xpflow.microtext.measure import Estimate, entropy, quality
from xpflow.microtext.world import World
from xpflow.training.masked_model import MaskedModel, evaluating
from xpflow.training.student import Student
from xpflow.training.text_scores import BoundScores, LanguageScores, SampleScores


class TextModel(MaskedModel):
    """A student of a world, to be asked in words; arguments beside the world are those of `MaskedModel`."""

    def __init__(
        self, student: Student, world: World, schedule: Schedule, prompt: tuple[int, ...] = ()
    ) -> None:
        super().__init__(student, schedule, prompt)
        self.world = world

    def log_p(self, hidden_BLD: Tensor, ids_BL: Tensor, open_BL: Tensor) -> Tensor:
        """Return log-probabilities of the world's words."""
        return word_log_p(self.student, self.world, hidden_BLD)


def word_log_p(student: Student, world: World, hidden_BLD: Tensor) -> Tensor:
    """Return log-probabilities of the world's words from what the output head reads, [B, L, V], float64."""
    with torch.no_grad(), student.machine.autocast(student.model):
        logits_BLV = student.model.get_output_embeddings()(hidden_BLD)[..., : world.size]
    log_p_BLV: Tensor = logits_BLV.double().log_softmax(-1).cpu()
    return log_p_BLV


def bound_scores(
    model: TextModel, ids_NL: Tensor, draws: int = 1, seed: int = 0, shape: NoiseShape | None = None
) -> BoundScores:
    """Measure the bound of sentences of the model's world, or of another domain of it, zero-shot.

    The floor is that of `model.world`: for another domain, make a TextModel with that world. With a `shape`,
    masks carry noise that is drawn for each draw of the bound.
    """
    return both_bounds(model, ids_NL, draws, seed, shape)[0]


def both_bounds(
    model: TextModel, ids_NL: Tensor, draws: int = 1, seed: int = 0, shape: NoiseShape | None = None
) -> tuple[BoundScores, BoundScores]:
    """Return `bound_scores`, and those of an exact denoiser under the same schedule, by the same draws.

    The exact denoiser's L_main is drawn without a control variate: it lies above the floor by chance alone.
    """
    generator, world = torch.Generator().manual_seed(seed), model.world

    def denoiser(ids_BL: Tensor, open_BL: Tensor) -> Tensor:
        if shape is None:
            return model.denoiser(ids_BL, open_BL)
        return model.noisy_denoiser(ids_BL, open_BL, shape.draw(*_size(ids_BL), generator))

    main, exact, velocity, floor_N = [], [], [], -world.log_prob(ids_NL)
    with evaluating(model.student):
        for _ in range(draws):
            found = draw_bound(denoiser, model.forward, model.reverse, ids_NL, generator, world.denoiser)
            assert found.above is not None
            main.append(found.above.main_B)
            exact.append(found.parts.main_B - found.above.main_B - floor_N)
            velocity.append(found.parts.velocity_B)
    main_N, exact_N, velocity_N = (torch.stack(part).mean(0) for part in (main, exact, velocity))
    return _bound(floor_N, main_N, velocity_N), _bound(floor_N, exact_N, velocity_N)


def _bound(floor_N: Tensor, main_N: Tensor, velocity_N: Tensor) -> BoundScores:
    parts = (Estimate.of(part_N) for part_N in (main_N + velocity_N, main_N, velocity_N))
    return BoundScores(float(floor_N.mean()), *parts)


def sample_quality(
    model: TextModel,
    count: int,
    steps: int,
    seed: int = 0,
    shape: NoiseShape | None = None,
    floor: Estimate | None = None,
) -> SampleScores:
    """Draw sentences in `steps` steps by the model's own schedule, and measure them.

    With a `shape`, from masks whose noise is kept along the path, and by alpha = 1 - t. The floor is H(x); it
    is measured where it is not given.
    """
    generator, places = torch.Generator().manual_seed(seed), model.world.length
    with evaluating(model.student):
        if shape is not None:
            noise_BLW = shape.draw(count, places, generator)
            found = sample_noisy(model.noisy_denoiser, noise_BLW, shape, steps, generator)
        else:
            fixed = None if model.schedule.learned else model.reverse
            found = sample(model.predict, (count, places), steps, generator, fixed)
    return scored(model.world, found, floor or entropy(model.world))


def scored(world: World, found: Sampled, floor: Estimate) -> SampleScores:
    """Return what the oracle says of samples; their excess is over the floor, with the errors of both."""
    measured, excess = quality(world, found.ids_BL), None
    if measured.nll is not None:
        error = (measured.nll.standard_error**2 + floor.standard_error**2) ** 0.5
        excess = Estimate(measured.nll.value - floor.value, error)
    values: dict[str, Any] = {**asdict(measured), "nll": measured.nll}
    return SampleScores(**values, excess=excess, nfe=float(found.nfe_B.double().mean()))


def language_scores(world: World) -> LanguageScores:
    """Return what a world is like itself."""
    alone_LV = world.conditionals(*_all_open(1, world.length))[0]
    return LanguageScores(entropy(world), float(torch.special.entr(alone_LV.mean(0)).sum()))


def _size(ids_BL: Tensor) -> tuple[int, int]:
    return len(ids_BL), ids_BL.shape[1]


def step_agreement(model: TextModel, shape: NoiseShape | None, draws: int = 1024, seed: int = 0) -> Agreement:
    """Measure one step from all masks; `shape` is that of the model's mask noise, None for a plain model.

    A table of masks with no more than `draws` ways to fill a sentence is measured at all of them: exactly.
    """
    length = model.world.length
    with evaluating(model.student):
        if shape is None:
            return one_step(model.denoiser(*_all_open(1, length)), every=True)
        every = shape.kind == "table" and shape.masks**length <= draws
        if every:
            noise_SLW = torch.tensor(list(product(range(shape.masks), repeat=length))).float()[..., None]
        else:
            noise_SLW = shape.draw(draws, length, torch.Generator().manual_seed(seed))
        return one_step(model.noisy_denoiser(*_all_open(len(noise_SLW), length), noise_SLW), every)


def _all_open(rows: int, length: int) -> tuple[Tensor, Tensor]:
    ids_BL = torch.zeros(rows, length, dtype=torch.long)
    return ids_BL, torch.ones_like(ids_BL, dtype=torch.bool)
