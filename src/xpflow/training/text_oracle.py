"""All that the oracle says of a run on a MicroText world: at its end, and at points on its way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from xpflow.masking.mask_noise import NoiseShape
from xpflow.masking.schedule import Schedule, make_schedule
from xpflow.microtext.measure import Estimate
from xpflow.microtext.splits import load
from xpflow.microtext.world import World
from xpflow.microtext.worlds import WORLDS
from xpflow.training.objectives import OBJECTIVES
from xpflow.training.student import Student
from xpflow.training.text_causal import CausalModel, causal_bound, causal_sample
from xpflow.training.text_measure import (
    TextModel,
    both_bounds,
    language_scores,
    sample_quality,
    scored,
    step_agreement,
)
from xpflow.training.text_orders import order_scores
from xpflow.training.text_run import TextRecipe, forwards_of, schedule_of, text_prompt
from xpflow.training.text_scores import (
    BoundScores,
    CurvePoint,
    Forwards,
    Measuring,
    OffScores,
    SampleScores,
    TextScores,
)
from xpflow.training.trainer import Row

EXCESS, ERROR = "excess", "excess_error"  # of a row of the log, in nats a sentence


@dataclass(frozen=True, slots=True)
class Subject:
    """A student of a recipe, under a schedule: its own, or another in its place."""

    student: Student
    world: World
    recipe: TextRecipe
    measuring: Measuring
    schedule: Schedule

    @property
    def causal(self) -> bool:
        """Say whether the student reads from left to right."""
        return self.recipe.objective == "causal"

    @property
    def shape(self) -> NoiseShape | None:
        """Return the noise of the student's masks, None where they are plain."""
        if "noise" not in self.student.extra:
            return None
        found: NoiseShape = OBJECTIVES[self.recipe.objective].checked(self.recipe.settings).shape
        return found

    def model(self, language: World) -> TextModel:
        """Return the student to be asked about sentences of a domain."""
        return TextModel(self.student, language, self.schedule, text_prompt(language, self.recipe))

    def bounds(self, language: World, rows: int, draws: int) -> tuple[BoundScores, BoundScores | None]:
        """Return the bound on test sentences, and that of an exact denoiser by the same draws of masks."""
        ids_NL = load(language, "test")[:rows]
        if self.causal:
            return causal_bound(self._causal(language), ids_NL), None
        return both_bounds(self.model(language), ids_NL, draws, self.recipe.seed, self.shape)

    def bound(self, language: World) -> BoundScores:
        """Return the bound on as many test sentences as are asked for."""
        return self.bounds(language, self.measuring.test, self.measuring.draws)[0]

    def samples(self, floor: Estimate) -> dict[int, SampleScores]:
        """Return the quality of samples by steps; a causal model has its own number of them."""
        count, seed = self.measuring.samples, self.recipe.seed
        if self.causal:
            drawn = causal_sample(self._causal(self.world), count, seed)
            return {self.world.length: scored(self.world, drawn, floor)}
        model = self.model(self.world)
        return {
            steps: sample_quality(model, count, steps, seed, self.shape, floor)
            for steps in self.measuring.steps
        }

    def _causal(self, language: World) -> CausalModel:
        return CausalModel(self.student, language, text_prompt(language, self.recipe))


def scores(
    student: Student,
    world: World,
    recipe: TextRecipe,
    measuring: Measuring = Measuring(),  # noqa: B008 (frozen)
    log: Sequence[Row] = (),
) -> TextScores:
    """Return what the oracle says of a trained student; the recipe's seed seeds all draws.

    Args:
        log: rows of the run's log, which have the curve (`curve_watch`).
    """
    own = Subject(student, world, recipe, measuring, schedule_of(recipe))
    language, each = language_scores(world), forwards_of(recipe)
    bound, exact = own.bounds(world, measuring.test, measuring.draws)
    orders = off = None
    if own.schedule.learned:
        orders = order_scores(own.model(world), load(world, "test")[: measuring.test], recipe.seed)
        plain = Subject(student, world, recipe, measuring, make_schedule("constant"))
        off = OffScores(plain.bound(world), plain.samples(language.entropy))
    one_step = None
    if not own.causal and (own.shape is not None or world.name.startswith("agreement-")):
        one_step = step_agreement(own.model(world), own.shape, seed=recipe.seed)
    return TextScores(
        world=world.name,
        length=world.length,
        words=world.size,
        parameters=sum(weight.numel() for weight in student.parameters()),
        forwards=Forwards(each, each * recipe.updates),
        language=language,
        bound=bound,
        samples=own.samples(language.entropy),
        domains={name: own.bound(WORLDS[name]) for name in world.domains.values()},
        curve=tuple(
            CurvePoint(row["update"], each * row["update"], Estimate(row[EXCESS], row[ERROR]))
            for row in log
            if EXCESS in row
        ),
        oracle=exact if own.schedule.learned else None,
        orders=orders,
        order_off=off,
        one_step=one_step,
    )


def curve_updates(recipe: TextRecipe, points: int) -> tuple[int, ...]:
    """Return the updates at which the curve is measured: rows of the log, about as far from each other.

    The last one is the end of the run. A short run has fewer points than are asked for.
    """
    every, end = recipe.log_every, recipe.updates
    near = {round(end * k / points / every) * every for k in range(1, points)}
    return (*sorted(update for update in near if 0 < update < end), end) if points else ()


def curve_guard(recipe: TextRecipe, measuring: Measuring) -> dict[str, Any]:
    """Return what a run's log depends on beside its recipe, for the guard of its state."""
    return {
        "updates": curve_updates(recipe, measuring.curve),
        "test": _curve_test(measuring),
        "draws": measuring.draws,
    }


def curve_watch(
    world: World, recipe: TextRecipe, measuring: Measuring
) -> Callable[[Student, list[Row], int], Row]:
    """Return what adds the bound's excess to rows of a trainer's log, whose state keeps them over a kill."""
    updates, schedule = curve_updates(recipe, measuring.curve), schedule_of(recipe)

    def watch(student: Student, rows: list[Row], update: int) -> Row:
        if update not in updates:
            return {}
        subject = Subject(student, world, recipe, measuring, schedule)
        excess = subject.bounds(world, _curve_test(measuring), measuring.draws)[0].excess
        return {EXCESS: excess.value, ERROR: excess.standard_error}

    return watch


def _curve_test(measuring: Measuring) -> int:
    return min(measuring.curve_test, measuring.test)
