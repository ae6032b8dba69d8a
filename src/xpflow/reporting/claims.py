"""What a study says against the paper: each claim confirmed, contradicted or undecided by the intervals.

Rules, the same for every study. A difference is confirmed when its whole interval lies above zero,
contradicted when it lies below; one that was claimed (by the study beforehand, or by the paper) only if it
survives Holm's correction over all of these. A recovery ratio is confirmed when its whole interval lies above
the paper's ratio less the margin of the plan, contradicted when it lies below that. Everything else is
undecided, whatever the point estimate, and so is everything on too few problems.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from fractions import Fraction
from math import isfinite
from typing import Any

from xpflow.reporting.cells import ClaimRead
from xpflow.reporting.contrasts import ContrastResult, Judgement, judge, paper_difference, recovery_ratio
from xpflow.reporting.curves import Compared
from xpflow.reporting.markup import markdown_text, number
from xpflow.reporting.noisy_results import JudgedNoisy
from xpflow.reporting.paper import FLOW, MASK_PREDICTION, QUARTER, caution, table1_count
from xpflow.reporting.probe_claims import Judged
from xpflow.reporting.report_spec import Direction, ReportPlan
from xpflow.reporting.results import Outcomes
from xpflow.reporting.text_claims import text_rule
from xpflow.reporting.text_units import LIKELIHOODS, SHARE, scaled_interval, scaled_text
from xpflow.stats.bootstrap import Estimate, fewest_problems
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

    @property
    def name(self) -> str:
        """What is claimed, as a part of a sentence: without a full stop of its own."""
        text = self.text.rstrip()
        return text if text.endswith("..") else text.removesuffix(".")

    @property
    def word(self) -> str:
        """The judgement; where no direction was claimed, which side is ahead."""
        of_numbers = self.family == TEXT or self.unit in LIKELIHOODS  # where more is not ahead
        asked_only = self.direction == "different" and not of_numbers
        if not asked_only or self.judgement.startswith("undecided"):
            return self.judgement
        return "ahead" if self.low > 0 else "behind"


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
        )
        for one in judged
    ]


def of_the_paper(claims: Iterable[Claim]) -> list[Claim]:
    """Return the claims that the paper makes."""
    return [claim for claim in claims if claim.family not in APART]


def claims_markdown(plan: ReportPlan, claims: list[Claim]) -> str:
    """Return the generated section "what this study says against the paper"."""
    groups = families(plan)
    against = " against the paper" if plan.arms else ""
    lines = [f"## What {plan.study} says{against}", ""]
    lines += [_summary(claims), "", *_left_out(plan, claims)] if plan.arms else []
    for family, title in groups.items():
        members = [claim for claim in claims if claim.family == family]
        if members:
            lines += [f"**{title}.** {tally(members)}", "", *map(_sentence, members), ""]
    return "\n".join([*lines, *(line for text in rules(plan, claims) for line in (text, ""))])


def families(plan: ReportPlan) -> dict[str, str]:
    """Return the families of claims, in the order in which they are told, and what each says."""
    own = {TEXT: "Registered of models of small languages, and corrected among themselves"}
    if not plan.arms:
        return own
    flow, baseline = plan.arm(plan.flow).title, plan.arm(plan.baseline).title
    budget = budget_text(plan.headline_budget)
    return {
        "primary": f"{flow[:1].upper()}{flow[1:]} above {baseline} at {budget} of the budget",
        "recovery": f"Share of the full-budget accuracy that {flow} keeps "
        f"(claim: no more than {100 * plan.ratio_margin:g} points below the paper's share)",
        "ablation": "Each part of the decoder helps",
        "check": "Not claimed by the paper, asked by a sceptic: the first against the second",
        CURVES: "Registered of decoders as curves, at equal mean NFE and corrected among themselves",
        PARTS: "Registered of the parts of decoders, at equal mean NFE and corrected among themselves",
        PROBES: "Registered of the probes of mixed states, and corrected among themselves",
        NOISY: "Registered of how noisy text is read, and corrected among themselves",
        **own,
    }


def claims_record(claims: list[Claim]) -> list[dict[str, Any]]:
    """Return the claims as plain rows for a JSON file; those of text studies and likelihoods have units."""
    return [
        {
            name: None if isinstance(value, float) and not isfinite(value) else value
            for name, value in asdict(claim).items()
            if name != "unit" or claim.family == TEXT or claim.unit in LIKELIHOODS
        }
        for claim in claims
    ]


def rules(plan: ReportPlan, claims: Iterable[Claim]) -> list[str]:
    """Return how a study's claims are judged, and how its numbers are to be read."""
    decoded = [rule(plan), caution(model.name for model in plan.models)] if plan.arms else []
    text = any(claim.family == TEXT for claim in claims)
    return [*decoded, *([text_rule(plan)] if text or not plan.arms else [])]


def rule(plan: ReportPlan) -> str:
    """Return how claims are judged, in words."""
    return (
        f"Judged by {100 * plan.confidence:g} % intervals over seeds and problems: confirmed when the whole "
        "interval is on the claim's side, contradicted when it is wholly on the other, undecided otherwise. "
        "A difference that was claimed, by the study beforehand or by the paper, is decided only if Holm's "
        f"correction over all of them leaves its p at {1 - plan.confidence:.3g} or less. Fewer than "
        f"{fewest_problems(plan.confidence)} problems decide nothing."
    )


def _difference_claim(plan: ReportPlan, result: ContrastResult) -> Claim:
    text = result.contrast.name
    if result.contrast.equal_nfe and not result.equal_nfe:
        text += f" (not at equal NFE: {result.a.nfe:.1f} against {result.b.nfe:.1f})"
    return _claim(
        result.contrast.kind,
        text,
        (result.model, result.benchmark),
        paper_difference(plan, result),
        result.difference,
        result.judgement,
        result.contrast.direction,
        result.holm_p,
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
    )


def measured(claim: Claim) -> str:
    """Return a claim's number with its unit and interval: "+28.0 points [+20.0, +36.5]"."""
    unit, sign = unit_of(claim)
    if claim.family == TEXT or claim.unit in LIKELIHOODS:
        interval = scaled_interval(claim.low, claim.high, unit, sign)
        return f"{scaled_text(claim.ours, unit, sign)} {unit} {interval}"
    return f"{number(claim.ours, sign)} {unit} [{number(claim.low, sign)}, {number(claim.high, sign)}]"


def unit_of(claim: Claim) -> tuple[str, str]:
    """Return the unit of a claim's numbers, and "+" where they are written with a sign."""
    return claim.unit, "" if claim.unit == "%" else "+"


def _sentence(claim: Claim) -> str:
    unit, sign = unit_of(claim)
    ours = measured(claim)
    paper = "" if claim.paper is None else f"; the paper: {number(claim.paper, sign)} {unit}"
    holm = "" if claim.holm_p is None else f", Holm p = {claim.holm_p:.2g}"
    where = f"{claim.model}, {claim.benchmark}"
    return f"- {markdown_text(f'{claim.name}, {where}')}: **{claim.word}**, {ours}{holm}{paper}."


def _left_out(plan: ReportPlan, claims: list[Claim]) -> list[str]:
    """Return a sentence for each claim of the paper that a study could ask and has no number for."""
    judged = {(claim.model, claim.benchmark) for claim in claims if claim.family == "recovery"}
    places = [(model.name, benchmark) for model in plan.models for benchmark in plan.benchmarks]
    paper = {place for place in places if table1_count(*place, FLOW, QUARTER) is not None}
    asked = paper if plan.is_paper_arm(plan.flow) and plan.is_paper_arm(plan.baseline) else set()
    missing = [", ".join(place) for place in places if place in asked - judged]
    if not missing:
        return []
    titles = [plan.arm(name).title for name in (plan.flow, plan.baseline)]
    text = (
        f"No share of the full-budget accuracy for {'; '.join(missing)}: {titles[0]} at "
        f"{budget_text(plan.headline_budget)} or {titles[1]} at 1/1 was not run there, or the latter solved "
        "none."
    )
    return [markdown_text(text), ""]


def tally(claims: list[Claim]) -> str:
    """Return how many claims have each verdict: "3 confirmed, 1 undecided."."""
    words = [claim.word for claim in claims]
    parts = [f"{words.count(word)} {word}" for word in _WORDS if word in words]
    return ", ".join(parts) + "."


def _summary(claims: list[Claim]) -> str:
    own = of_the_paper(claims)
    if not own:
        return "The study evaluated none of the paper's claims."
    contradicted = [claim for claim in own if claim.judgement == "contradicted"]
    text = f"Of {len(own)} comparisons with a claim of the paper: {tally(own)}"
    if contradicted:
        names = "; ".join(f"{claim.name} ({claim.model}, {claim.benchmark})" for claim in contradicted)
        text += f" **The study contradicts the paper on: {markdown_text(names)}.**"
    return text


_WORDS = ("confirmed", "ahead", "contradicted", "behind", "undecided", "undecided: too few")
