"""A study's factorial: its cells at one mean NFE, the effects of its factors, gains shared out, claims.

Every cell stands at the common NFE: the mixture of its two settings next to it (`xpflow.stats.factorial`).
Cells that cannot exist, and those all of whose settings are dearer, are missing, and say why. Holm's
correction is over all effects and interactions, on all models and benchmarks, and apart from that over all
claims.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from xpflow.reporting.contrasts import Judgement
from xpflow.reporting.curves import point_of
from xpflow.reporting.estimates import draws_of, judged
from xpflow.reporting.report_spec import ReportPlan
from xpflow.reporting.results import Outcomes
from xpflow.stats.bootstrap import Estimate
from xpflow.stats.factorial import Cells, Change, Effect, Gain, at_common, difference_of_shares, effect, gain
from xpflow.stats.frontier import Point
from xpflow.stats.paired import holm
from xpflow.study.config import StudyConfig
from xpflow.study.config.base import budget_text
from xpflow.study.config.factorial import (
    FactorialBlock,
    FactorialCell,
    FactorialClaim,
    GainPath,
    factorial_cells,
)
from xpflow.study.rows import Cell


@dataclass(frozen=True, slots=True)
class CellRead:
    """A cell on a model and a benchmark: its settings, and what it solves at the common NFE (or why not)."""

    cell: FactorialCell
    points: tuple[Point, ...]
    found: Point | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Factored:
    """All cells on a model and a benchmark."""

    model: str
    benchmark: str
    cells: tuple[CellRead, ...]

    @property
    def outcomes(self) -> Cells:
        """Return the outcomes [S, P] of every cell that is there, by its levels."""
        return {one.cell.levels: one.found.passed_SP for one in self.cells if one.found is not None}

    @property
    def where(self) -> str:
        """Return model and benchmark as tables print them."""
        return f"{self.model}, {self.benchmark}"


@dataclass(frozen=True, slots=True)
class EffectRead:
    """An effect or interaction somewhere; Holm's p is over all of them."""

    place: Factored
    effect: Effect
    holm_p: float


@dataclass(frozen=True, slots=True)
class ClaimRead:
    """A claim somewhere, and its judgement."""

    place: Factored
    claim: FactorialClaim
    estimate: Estimate
    contexts: int | None  # of an effect
    holm_p: float
    judgement: Judgement


def factored(config: StudyConfig, outcomes: Outcomes) -> list[Factored]:
    """Return the cells on every model and benchmark of the study, validation benchmarks aside."""
    return [
        Factored(model, benchmark, tuple(_reads(config, outcomes, model, benchmark)))
        for model in config.factorial.models or config.model_names
        for benchmark in config.benchmark_names
        if benchmark not in config.chosen_on
    ]


def _reads(config: StudyConfig, outcomes: Outcomes, model: str, benchmark: str) -> Iterator[CellRead]:
    block, length = config.factorial, config.benchmark(benchmark).gen_length
    for one in factorial_cells(block):
        if one.curve is None:
            yield CellRead(one, (), None, one.why)
            continue
        cells = [Cell(model, benchmark, arm.name, budget) for arm in one.arms for budget in arm.budgets]
        points = tuple(point_of(config, outcomes, cell, one.curve) for cell in cells)
        mixture = at_common(points, float(block.at * length))
        if mixture is None:
            cheapest = min(point.nfe for point in points)
            why = f"too dear: {cheapest:.1f} forwards at least, for {budget_text(block.at)} of {length}"
            yield CellRead(one, points, None, why)
        else:
            yield CellRead(one, points, mixture.of(points))


def change_text(block: FactorialBlock, changes: Sequence[Change]) -> str:
    """Return changes in words: "state: flow − hard", two of them with a × between."""
    return " × ".join(f"{block.names[one.factor]}: {one.level} − {one.against}" for one in changes)


def effects(config: StudyConfig, plan: ReportPlan, places: Sequence[Factored]) -> list[EffectRead]:
    """Return all main effects against the references, then all interactions of two factors."""
    block, draws = config.factorial, draws_of(plan)
    alone = [
        Change(number, level.name, factor.levels[0].name)
        for number, factor in enumerate(block.factors)
        for level in factor.levels[1:]
    ]
    pairs = [(a, b) for a, b in combinations(alone, 2) if a.factor != b.factor]
    asked: list[tuple[Change, ...]] = [*((one,) for one in alone), *pairs]
    found = [
        EffectRead(place, one, 1.0)
        for place in places
        for changes in asked
        if (one := effect(place.outcomes, changes, draws=draws)) is not None
    ]
    corrected = holm([one.effect.estimate.p_value for one in found])
    return [replace(one, holm_p=p) for one, p in zip(found, corrected, strict=True)]


def gains(
    config: StudyConfig, plan: ReportPlan, places: Sequence[Factored]
) -> list[tuple[Factored, GainPath, Gain | None]]:
    """Return every gain that the study shares out, on every model and benchmark."""
    block, draws = config.factorial, draws_of(plan)
    return [
        (place, path, gain(place.outcomes, *block.ends(path), draws))
        for place in places
        for path in block.gains
    ]


def claims_read(config: StudyConfig, plan: ReportPlan, places: Sequence[Factored]) -> list[ClaimRead]:
    """Return the claims wherever the cells are there that they are about."""
    found = []
    for claim in config.factorial.preregistration:
        for place in places:
            if (one := _claimed(config.factorial, plan, claim, place)) is not None:
                found.append((place, claim, *one))
    corrected = holm([estimate.p_value for _, _, estimate, _ in found])
    return [
        ClaimRead(place, claim, estimate, contexts, p, judged(estimate, claim.direction, p, plan.confidence))
        for (place, claim, estimate, contexts), p in zip(found, corrected, strict=True)
    ]


def _claimed(
    block: FactorialBlock, plan: ReportPlan, claim: FactorialClaim, place: Factored
) -> tuple[Estimate, int | None] | None:
    """Return the estimate of a claim, and of an effect over how many contexts; None without its cells."""
    numbers, draws = {name: number for number, name in enumerate(block.names)}, draws_of(plan)
    if claim.path is not None and claim.over is not None:
        path = next(one for one in block.gains if one.name == claim.path)
        pair = (numbers[claim.factor], numbers[claim.over])
        shares = difference_of_shares(place.outcomes, *block.ends(path), pair, draws)
        return None if shares is None else (shares, None)
    against = claim.against or block.factor(claim.factor).levels[0].name
    change = Change(numbers[claim.factor], claim.level or "", against)
    given = {numbers[name]: level for name, level in claim.given.items()}
    one = effect(place.outcomes, [change], given, draws)
    return None if one is None else (one.estimate, one.contexts)
