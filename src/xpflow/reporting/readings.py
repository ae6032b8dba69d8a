"""A study's multiverse: every universe on validation and test problems, the best one, and claims over all.

The best reading of a model is that of the highest accuracy on its validation problems (the mean over the
benchmarks) among those whose mean NFE keeps to the budget there: a readout that takes a forward more does
not.
Without validation problems it is chosen on the test problems themselves, which is optimistic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from xpflow.reporting.estimates import draws_of
from xpflow.reporting.from_config import arm_spec
from xpflow.reporting.report_spec import ReportPlan
from xpflow.reporting.results import Outcomes
from xpflow.stats.bootstrap import Estimate, Floats
from xpflow.stats.frontier import Point
from xpflow.stats.multiverse import Held, best, held, marginal
from xpflow.study.config import StudyConfig
from xpflow.study.config.base import Scalar
from xpflow.study.config.multiverse import (
    WHOLE,
    MultiverseClaim,
    Reading,
    Universe,
    changed_in,
    meant_in,
    multiverse,
)
from xpflow.study.rows import Cell, expand


@dataclass(frozen=True, slots=True)
class Universes:
    """All universes on a model and a benchmark: the whole decoder on test and on validation problems."""

    model: str
    benchmark: str
    length: int
    universes: tuple[Universe, ...]
    test: tuple[Point, ...]
    validation: tuple[Point, ...]

    @property
    def where(self) -> str:
        """Return model and benchmark as tables print them."""
        return f"{self.model}, {self.benchmark}"


@dataclass(frozen=True, slots=True)
class ClaimHeld:
    """A claim of the paper over all universes of a place."""

    place: Universes
    claim: MultiverseClaim
    held: Held


@dataclass(frozen=True, slots=True)
class ValueRead:
    """One value of a reading over the universes in which it means something, against the default value."""

    place: Universes
    reading: Reading
    value: Scalar
    universes: int
    accuracy: float
    nfe: float
    difference: Estimate | None  # None: of the default, or one of the two has no universe


def universes_read(config: StudyConfig, outcomes: Outcomes) -> list[Universes]:
    """Return the universes on every model and benchmark of the study, validation benchmarks aside."""
    block = config.multiverse
    universes, _ = multiverse(block)
    found = []
    for model in block.models or config.model_names:
        for benchmark in config.benchmark_names:
            if benchmark in config.chosen_on:
                continue
            other = block.validation.get(benchmark, benchmark)
            test, validation = (
                tuple(
                    _point(outcomes, Cell(model, name, one.arms[WHOLE], block.budget), str(one.number))
                    for one in universes
                )
                for name in (benchmark, other)
            )
            length = config.benchmark(benchmark).gen_length
            found.append(Universes(model, benchmark, length, tuple(universes), test, validation))
    return found


def _point(outcomes: Outcomes, cell: Cell, label: str = "") -> Point:
    return Point(label, _passed(outcomes, cell), outcomes.mean_of("nfe", *cell))


def _passed(outcomes: Outcomes, cell: Cell) -> Floats:
    return np.asarray(outcomes.passed(*cell), dtype=np.float64)


def best_reading(config: StudyConfig, places: Sequence[Universes], model: str) -> Universe | None:
    """Return the universe that is chosen for a model; None where all take more forwards than they may."""
    here = [place for place in places if place.model == model]
    count = len(here[0].universes)
    accuracies = [float(np.mean([place.validation[k].accuracy for place in here])) for k in range(count)]
    forwards = [max(place.validation[k].nfe / place.length for place in here) for k in range(count)]
    chosen = best(accuracies, forwards, float(config.multiverse.budget))
    return None if chosen is None else here[0].universes[chosen]


def with_readings(config: StudyConfig, plan: ReportPlan, outcomes: Outcomes) -> ReportPlan:
    """Return a plan whose Table 1 has two more arms for each model: the default reading, and the best."""
    places = universes_read(config, outcomes)
    told: dict[str, list[str]] = {}  # what an arm is, by its name
    chosen = set[tuple[str, str]]()
    for model in dict.fromkeys(place.model for place in places):
        default, found = places[0].universes[0], best_reading(config, places, model)
        for universe, words in ((default, "default reading"), (found, f"best reading for {model}")):
            if universe is not None:
                told.setdefault(universe.arms[WHOLE], []).append(words)
                chosen.add((model, universe.arms[WHOLE]))
    specs = [arm_spec(config, config.arm(name)) for name in told]
    arms = [
        replace(spec, label=f"{spec.title}, {' and '.join(dict.fromkeys(told[spec.name]))}") for spec in specs
    ]
    rows = [
        row
        for row in expand(config)
        if (row.model, row.arm) in chosen and row.benchmark not in config.chosen_on
    ]
    return replace(plan, arms=(*plan.arms, *arms), rows=(*plan.rows, *rows))


def claims_held(
    config: StudyConfig, plan: ReportPlan, outcomes: Outcomes, places: Sequence[Universes]
) -> list[ClaimHeld]:
    """Return every claim on every model and benchmark that has both of its sides."""
    block, planned = config.multiverse, {row.cell for row in expand(config)}
    found = []
    for claim in block.preregistration:
        for place in places:
            if claim.benchmarks and place.benchmark not in claim.benchmarks:
                continue
            sides = [
                (_cell(config, place, one, claim.a), _cell(config, place, one, claim.b, claim.budget_b))
                for one in place.universes
            ]
            if not {cell for pair in sides for cell in pair} <= planned:
                continue
            pairs = [(_passed(outcomes, a), _passed(outcomes, b)) for a, b in sides]
            found.append(ClaimHeld(place, claim, held(pairs, claim.least, draws_of(plan))))
    return found


def _cell(
    config: StudyConfig, place: Universes, universe: Universe, side: str, budget: Fraction | None = None
) -> Cell:
    """Return the cell of a side of a claim: of a universe, or of an arm of the study."""
    own = config.multiverse.budget
    if side in universe.arms:
        return Cell(place.model, place.benchmark, universe.arms[side], own)
    return Cell(place.model, place.benchmark, side, budget or own)


def values_read(config: StudyConfig, plan: ReportPlan, places: Sequence[Universes]) -> list[ValueRead]:
    """Return every value of every reading: what the universes with it solve, and how far from the default."""
    return [
        _value(config, plan, place, reading, value)
        for place in places
        for reading in config.multiverse.readings
        for value in reading.values
    ]


def _value(
    config: StudyConfig, plan: ReportPlan, place: Universes, reading: Reading, value: Scalar
) -> ValueRead:
    block = config.multiverse
    able = [k for k, one in enumerate(place.universes) if reading.name in meant_in(block, one)]
    having, default = (
        [k for k in able if place.universes[k].values[reading.name] == wanted]
        for wanted in (value, reading.values[0])
    )
    points = [place.test[k] for k in having]
    difference = None
    if value != reading.values[0] and having and default:
        ours, theirs = ([place.test[k].passed_SP for k in group] for group in (having, default))
        difference = marginal(ours, theirs, draws_of(plan))
    return ValueRead(
        place,
        reading,
        value,
        len(points),
        float(np.mean([point.accuracy for point in points])) if points else float("nan"),
        float(np.mean([point.nfe for point in points])) if points else float("nan"),
        difference,
    )


def reading_text(config: StudyConfig, universe: Universe) -> str:
    """Return what of a universe is not the default, in words."""
    told = changed_in(config.multiverse, universe)
    return ", ".join(f"{name}={value}" for name, value in told.items()) or "the default"
