"""What a study says against the paper: each claim confirmed, contradicted or undecided by the intervals.

Rules, the same for every study. A difference is confirmed when its whole interval lies above zero,
contradicted when it lies below; one that was claimed (by the study beforehand, or by the paper) only if it
survives Holm's correction over all of these. A recovery ratio is confirmed when its whole interval lies above
the paper's ratio less the margin of the plan, contradicted when it lies below that. Everything else is
undecided, whatever the point estimate, and so is everything on too few problems.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from xpflow.reporting.cells import ClaimRead
from xpflow.reporting.claim_text import with_aside
from xpflow.reporting.contrasts import ContrastResult, Judgement, judge, paper_difference, recovery_ratio
from xpflow.reporting.curves import Compared
from xpflow.reporting.noisy_results import JudgedNoisy
from xpflow.reporting.paper import FLOW, MASK_PREDICTION, QUARTER, table1_count
from xpflow.reporting.probe_claims import Judged
from xpflow.reporting.report_spec import Direction, ReportPlan
from xpflow.reporting.results import Outcomes
from xpflow.reporting.text_units import LIKELIHOODS, SHARE
from xpflow.stats.bootstrap import Estimate
from xpflow.study.config.base import budget_text

CURVES = "curves"  # the family of claims about a study's curves
PARTS = "parts"  # about the parts of decoders
PROBES = "probes"  # about its probes of mixed states
NOISY = "noisy"  # about how its weights read noisy text
TEXT = "text"  # and about models of small languages
APART = ("check", CURVES, PARTS, PROBES, NOISY, TEXT)  # families of claims that the paper does not make


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim on one model and benchmark; values are in `unit`, by default points (differences).

    An end of an interval that is none is infinite, a value that no seed has NaN.
    """

    family: str
    text: str
    model: str
    benchmark: str
    paper: float | None
    ours: float
    low: float
    high: float
    n_seeds: int
    n_problems: int
    direction: Direction
    judgement: Judgement
    holm_p: float | None = None  # None: not a claimed difference
    unit: str = SHARE
    id: str = ""  # its short name in the study; none where the report asks by itself

    @property
    def name(self) -> str:
        """What is claimed, as a part of a sentence: without a full stop of its own."""
        text = self.text.rstrip()
        return text if text.endswith("..") else text.removesuffix(".")

    @property
    def word(self) -> str:
        """The judgement; where no direction was claimed, which side is ahead."""
        if not asked_only(self.family, self.unit, self.direction) or self.judgement.startswith("undecided"):
            return self.judgement
        return "ahead" if self.low > 0 else "behind"


def asked_only(family: str, unit: str, direction: str) -> bool:
    """Return whether a claim only asked who is ahead; numbers of which more is not ahead have a verdict."""
    return direction == "different" and family != TEXT and unit not in LIKELIHOODS


def judge_claims(plan: ReportPlan, outcomes: Outcomes, contrasts: list[ContrastResult]) -> list[Claim]:
    """Return the claims: flow against mask prediction, recovery, ablations, then further checks."""
    claims = [_difference_claim(plan, result) for result in contrasts]
    ratios = [
        claim
        for model in plan.models
        for benchmark in plan.benchmarks
        if (claim := _ratio_claim(plan, outcomes, model.name, benchmark)) is not None
    ]
    order = {"primary": 0, "recovery": 1, "ablation": 2, "check": 3}
    return sorted(claims + ratios, key=lambda claim: order[claim.family])  # stable within a family


def curve_claims(compared: Iterable[Compared]) -> list[Claim]:
    """Return the claims about a study's curves, each judged at equal mean NFE."""
    return [
        _claim(
            CURVES,
            f"{one.text.rstrip('.')}, at {one.places}",
            (one.a.model, one.a.benchmark),
            None,
            one.difference,
            one.judgement,
            one.direction,
            one.holm_p,
            id=one.id,
        )
        for one in compared
    ]


def part_claims(found: Iterable[ClaimRead]) -> list[Claim]:
    """Return the claims about a factorial's effects and shares."""
    return [
        _claim(
            PARTS,
            one.claim.text,
            (one.place.model, one.place.benchmark),
            None,
            one.estimate,
            one.judgement,
            one.claim.direction,
            one.holm_p,
            id=one.claim.id,
        )
        for one in found
    ]


def probe_claims(judged: Iterable[Judged]) -> list[Claim]:
    """Return the claims about a study's probes; where the models stand is the places that are compared."""
    return [
        _claim(
            PROBES,
            one.claim.text,
            (" against ".join(dict.fromkeys((one.claim.place_a, one.claim.place_b))), one.benchmark),
            None,
            one.difference,
            one.judgement,
            one.claim.direction,
            one.holm_p,
            one.unit,
            one.claim.id,
        )
        for one in judged
    ]


def noisy_claims(judged: Iterable[JudgedNoisy]) -> list[Claim]:
    """Return the claims about how noisy text is read; where the models stand is the readers compared."""
    return [
        _claim(
            NOISY,
            one.claim.text,
            (f"{one.claim.reader_a} against {one.claim.reader_b or f'{one.claim.least:g}'}", one.benchmark),
            None,
            one.difference,
            one.judgement,
            one.claim.direction,
            one.holm_p,
            id=one.claim.id,
        )
        for one in judged
    ]


def _difference_claim(plan: ReportPlan, result: ContrastResult) -> Claim:
    text = result.contrast.name
    if result.contrast.equal_nfe and not result.equal_nfe:
        text = with_aside(text, result.a.nfe, result.b.nfe)
    return _claim(
        result.contrast.kind,
        text,
        (result.model, result.benchmark),
        paper_difference(plan, result),
        result.difference,
        result.judgement,
        result.contrast.direction,
        result.holm_p,
        id=result.contrast.id,
    )


def _ratio_claim(plan: ReportPlan, outcomes: Outcomes, model: str, benchmark: str) -> Claim | None:
    estimate = recovery_ratio(plan, outcomes, model, benchmark)
    part = table1_count(model, benchmark, FLOW, QUARTER)
    whole = table1_count(model, benchmark, MASK_PREDICTION, Fraction(1))
    of_the_paper = plan.is_paper_arm(plan.flow) and plan.is_paper_arm(plan.baseline)
    if estimate is None or part is None or whole is None or not of_the_paper:
        return None
    paper = part.passes / whole.passes
    titles = [plan.arm(name).title for name in (plan.flow, plan.baseline)]
    text = f"{titles[0]} at {budget_text(plan.headline_budget)} over {titles[1]} at 1/1"
    judgement = judge(estimate, paper - plan.ratio_margin, confidence=plan.confidence)
    return _claim("recovery", text, (model, benchmark), 100 * paper, estimate, judgement)


def _claim(
    family: str,
    text: str,
    place: tuple[str, str],
    paper: float | None,
    estimate: Estimate,
    judgement: Judgement,
    direction: Direction = "greater",
    holm_p: float | None = None,
    unit: str = SHARE,
    id: str = "",
) -> Claim:
    scale = 1.0 if unit in LIKELIHOODS else 100.0
    interval = estimate.interval.scaled(scale)
    return Claim(
        family=family,
        text=text,
        model=place[0],
        benchmark=place[1],
        paper=paper,
        ours=scale * estimate.value,
        low=interval.low,
        high=interval.high,
        n_seeds=estimate.n_seeds,
        n_problems=estimate.n_problems,
        direction=direction,
        judgement=judgement,
        holm_p=holm_p,
        unit="%" if family == "recovery" else unit,
        id=id,
    )
