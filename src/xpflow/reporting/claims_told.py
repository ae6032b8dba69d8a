"""How claims are told: in words and numbers, by family, with the rules that they were judged by."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict
from math import isfinite
from typing import Any

from xpflow.reporting.claim_text import without_aside
from xpflow.reporting.claims import APART, CURVES, NOISY, PARTS, PROBES, TEXT, Claim
from xpflow.reporting.markup import markdown_text, number
from xpflow.reporting.paper import FLOW, QUARTER, caution, table1_count
from xpflow.reporting.report_spec import ReportPlan
from xpflow.reporting.text_claims import text_rule
from xpflow.reporting.text_units import LIKELIHOODS, scaled_interval, scaled_text
from xpflow.stats.bootstrap import fewest_problems
from xpflow.study.config.base import budget_text

_WORDS = ("confirmed", "ahead", "contradicted", "behind", "undecided", "undecided: too few")


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
    """Return the claims as plain rows for a JSON file; those of text studies and likelihoods have units.

    A claim has its id where another of its family has the same text.
    """
    alike = _alike(claims)
    return [
        {
            name: None if isinstance(value, float) and not isfinite(value) else value
            for name, value in asdict(claim).items()
            if (name != "unit" or claim.family == TEXT or claim.unit in LIKELIHOODS)
            and (name != "id" or _asked_as(claim) in alike)
        }
        for claim in claims
    ]


def _asked_as(claim: Claim) -> tuple[str, str]:
    return claim.family, without_aside(claim.text)


def _alike(claims: Iterable[Claim]) -> set[tuple[str, str]]:
    """Return the texts, with their families, that several claims have."""
    ids: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for claim in claims:
        ids[_asked_as(claim)].add(claim.id)
    return {asked for asked, found in ids.items() if len(found) > 1}


def rules(plan: ReportPlan, claims: Iterable[Claim]) -> list[str]:
    """Return how a study's claims are judged, and how its numbers are to be read."""
    decoded = [rule(plan), caution(model.name for model in plan.models)] if plan.arms else []
    text = any(claim.family == TEXT for claim in claims)
    return [*decoded, *([text_rule(plan)] if text else [])]


def rule(plan: ReportPlan) -> str:
    """Return how claims are judged, in words."""
    return (
        f"Judged by {100 * plan.confidence:g} % intervals over seeds and problems: confirmed when the whole "
        "interval is on the claim's side, contradicted when it is wholly on the other, undecided otherwise. "
        "A difference that was claimed, by the study beforehand or by the paper, is decided only if Holm's "
        f"correction over all of them leaves its p at {1 - plan.confidence:.3g} or less. Fewer than "
        f"{fewest_problems(plan.confidence)} problems decide nothing."
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
