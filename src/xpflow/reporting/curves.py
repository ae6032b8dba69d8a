"""A study's curves of accuracy against forwards, and comparisons of two at equal mean NFE.

What stands at a place of a curve is chosen on validation problems where the study has them, and read on the
test problems: see `xpflow.stats.frontier`. Comparisons are paired by problem. Holm's correction is over all
claims on all their models and benchmarks, and apart from that over all comparisons with the reference curve.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from fractions import Fraction

import numpy as np

from xpflow.reporting.contrasts import Judgement
from xpflow.reporting.estimates import judged
from xpflow.reporting.markup import number
from xpflow.reporting.report_spec import Direction, ReportPlan, weights_label
from xpflow.reporting.results import Outcomes
from xpflow.stats.bootstrap import Estimate, paired_difference
from xpflow.stats.frontier import Mixture, Point, at_nfe, front
from xpflow.stats.intervals import Interval, wilson
from xpflow.stats.paired import holm
from xpflow.study.config import StudyConfig
from xpflow.study.config.base import budget_text
from xpflow.study.config.frontier import BUDGET, Curve, arms_of
from xpflow.study.rows import Cell, expand


@dataclass(frozen=True, slots=True)
class Swept:
    """A curve on a model and a benchmark: its settings read on it, and those that choices are made on."""

    curve: Curve
    name: str
    weights: str
    model: str
    benchmark: str
    length: int
    cells: tuple[Cell, ...]
    points: tuple[Point, ...]
    chosen_on: tuple[Point, ...]

    @property
    def label(self) -> str:
        """Return the curve as tables print it."""
        kind = "" if self.weights == "base" else f" [{weights_label(self.weights)}]"
        return f"{self.name.removesuffix(f'-{self.weights}')}{kind}"

    def mixture(self, share: Fraction) -> Mixture | None:
        """Return what stands at a mean NFE of a share of N."""
        return at_nfe(self.chosen_on, float(share * self.length))

    def at(self, share: Fraction) -> Point | None:
        """Return the outcomes at a mean NFE of a share of N; None where no setting is cheap enough."""
        mixture = self.mixture(share)
        return None if mixture is None else mixture.of(self.points)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of two curves: is a at a place above, below or other than a share of b at its own?

    by: how much more than that share it is claimed to solve; below 0: how far it may be behind.
    """

    id: str
    text: str
    a: Swept
    b: Swept
    at: Fraction
    at_b: Fraction
    direction: Direction
    least: float = 1.0
    by: float = 0.0

    @property
    def places(self) -> str:
        """Return where, as tables write it: "1/8", or "1/8 against 1/2"."""
        at, at_b = budget_text(self.at), budget_text(self.at_b)
        return at if at == at_b else f"{at} against {at_b}"

    @property
    def against(self) -> str:
        """Return how a claim differs from a > b: "b counts 97 %", "above −3 points"."""
        share = "" if self.least == 1 else f"b counts {100 * self.least:g} %"
        margin = f"above {number(100 * self.by)} points" if self.by else ""
        return ", ".join(filter(None, (share, margin)))


@dataclass(frozen=True, slots=True)
class Compared(Asked):
    """Two curves at one place, or each at its own, with what was found: a minus the share of b."""

    found: tuple[Point, Point] = field(kw_only=True)
    difference: Estimate = field(kw_only=True)
    holm_p: float = field(kw_only=True)
    confidence: float = field(kw_only=True)

    @property
    def exchanged(self) -> tuple[float, float]:
        """The problems that a solves and b does not, and those that only b solves: means over seeds.

        A mixture solves a problem by its share, so these are expected numbers.
        """
        a_SP, b_SP = (point.passed_SP for point in self.found)
        gained, lost = a_SP * (1 - b_SP), b_SP * (1 - a_SP)
        return float(gained.sum(axis=1).mean()), float(lost.sum(axis=1).mean())

    @property
    def judgement(self) -> Judgement:
        """The claim, judged from its interval and Holm's p-value."""
        return judged(self.difference, self.direction, self.holm_p, self.confidence, self.by)


def band(point: Point, confidence: float) -> Interval:
    """Return the Wilson interval of a setting's pass rate."""
    return wilson(float(point.passed_SP.sum()), point.passed_SP.size, confidence)


def swept_curves(config: StudyConfig, outcomes: Outcomes) -> list[Swept]:
    """Return every curve on every model and benchmark of the study, validation benchmarks aside."""
    chosen_on = config.frontier.validation
    return [
        swept
        for model in config.model_names
        for benchmark in config.benchmark_names
        if benchmark not in set(chosen_on.values())
        for curve in config.frontier.curves
        if not curve.models or model in curve.models
        for weights in curve.weights
        for swept in [_swept(config, outcomes, curve, weights, model, benchmark)]
    ]


def _swept(
    config: StudyConfig, outcomes: Outcomes, curve: Curve, weights: str, model: str, benchmark: str
) -> Swept:
    length = config.benchmark(benchmark).gen_length
    cells = [
        Cell(model, benchmark, arm.name, budget)
        for arm in arms_of(curve, weights)
        for budget in arm.budgets
        if budget * length >= 1
    ]
    points = tuple(point_of(config, outcomes, cell, curve) for cell in cells)
    other = config.frontier.validation.get(benchmark)
    on = [cell._replace(benchmark=other) for cell in cells] if other else []
    found = tuple(point_of(config, outcomes, cell, curve) for cell in on) or points
    return Swept(curve, curve.on(weights), weights, model, benchmark, length, tuple(cells), points, found)


def point_of(config: StudyConfig, outcomes: Outcomes, cell: Cell, curve: Curve) -> Point:
    """Return the outcomes of one setting of a curve."""
    value = budget_text(cell.budget) if curve.knob == BUDGET else config.arm(cell.arm).settings[curve.knob]
    passed_SP = np.asarray(outcomes.passed(*cell), dtype=np.float64)
    return Point(str(value), passed_SP, outcomes.mean_of("nfe", *cell))


def compared(config: StudyConfig, plan: ReportPlan, curves: Sequence[Swept]) -> list[Compared]:
    """Return the claims on all their models and benchmarks."""
    found = [
        Asked(claim.id, claim.text, a, b, *places, claim.direction, claim.least, claim.by)
        for claim in config.frontier.preregistration
        for places in claim.places
        for a in curves
        for b in curves
        if (a.name, b.name) == (claim.curve_a, claim.curve_b)
        and (a.model, a.benchmark) == (b.model, b.benchmark)
        and (not claim.models or a.model in claim.models)
    ]
    return _with_holm(plan, found)


def against_reference(config: StudyConfig, plan: ReportPlan, curves: Sequence[Swept]) -> list[Compared]:
    """Return every curve against the reference curve, wherever both have a setting that is cheap enough."""
    wanted = config.frontier.reference_name
    references = {(one.model, one.benchmark): one for one in curves if one.name == wanted}
    found = [
        Asked(one.name, one.label, one, references[one.model, one.benchmark], share, share, "different")
        for one in curves
        if one.name != wanted and (one.model, one.benchmark) in references
        for share in config.frontier.at
    ]
    return _with_holm(plan, found)


def _with_holm(plan: ReportPlan, wanted: Sequence[Asked]) -> list[Compared]:
    results = []
    for one in wanted:
        at_a, at_b = one.a.at(one.at), one.b.at(one.at_b)
        if at_a is None or at_b is None:
            continue
        difference = paired_difference(
            at_a.passed_SP,
            at_b.passed_SP if one.least == 1 else one.least * at_b.passed_SP,
            null=one.by,
            resamples=plan.resamples,
            seed=plan.bootstrap_seed,
            confidence=plan.confidence,
        )
        results.append((one, (at_a, at_b), difference))
    corrected = holm([difference.p_value for _, _, difference in results])
    return [
        Compared(
            *(getattr(one, each.name) for each in fields(Asked)),
            found=found,
            difference=difference,
            holm_p=p,
            confidence=plan.confidence,
        )
        for (one, found, difference), p in zip(results, corrected, strict=True)
    ]


def by_place(curves: Sequence[Swept]) -> Iterator[tuple[tuple[str, str], list[Swept]]]:
    """Yield (model, benchmark) and its curves, in order."""
    for place in dict.fromkeys((one.model, one.benchmark) for one in curves):
        yield place, [one for one in curves if (one.model, one.benchmark) == place]


def full_budget(
    plan: ReportPlan,
    outcomes: Outcomes,
    config: StudyConfig,
    place: tuple[str, str],
    members: Sequence[Swept],
) -> tuple[Point, Point]:
    """Return mask prediction with one token a forward, on the problems that choices are made on and on these.

    Where the study has no such arm, the dearest setting of the reference curve, or of the first, is taken.
    """
    other = config.frontier.validation.get(place[1], place[1])
    arm = plan.stand_in(plan.baseline, *place, Fraction(1))
    cells = [Cell(place[0], name, arm or "", Fraction(1)) for name in (other, place[1])]
    if set(cells) <= {row.cell for row in expand(config)}:
        points = [
            Point("1/1", np.asarray(outcomes.passed(*c), dtype=np.float64), outcomes.mean_of("nfe", *c))
            for c in cells
        ]
        return points[0], points[1]
    named = [one for one in members if one.name == config.frontier.reference_name]
    one = [*named, *members][0]
    dearest = front(one.chosen_on)[-1]
    return one.chosen_on[dearest], one.points[dearest]
