"""Claims about models of small languages: registered before the run, seeds as pairs, corrected together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xpflow.reporting.contrasts import Judgement, judge_interval
from xpflow.reporting.markup import EMPTY, Column, Lines, Table
from xpflow.reporting.report_spec import ReportPlan
from xpflow.reporting.text_results import Trained, found_at
from xpflow.reporting.text_units import interval_text, possible, unit_of_measure, value_text
from xpflow.stats.paired import holm
from xpflow.stats.seeds import FEWEST_SEEDS, Floats, SeedMean, over_seeds
from xpflow.study.config import StudyConfig
from xpflow.study.config.text import TextClaim

SIGNS = {"greater": ">", "less": "<", "different": "≠"}


@dataclass(frozen=True, slots=True)
class JudgedText:
    """A claim with its sides over seeds; `found` is None where no seed has the number.

    planned: seeds of the study. A claim that some of them have no number for is not decided by the others.
    """

    claim: TextClaim
    names: tuple[str, ...]
    a_S: Floats
    b_S: Floats | None
    found: SeedMean | None
    planned: int
    holm_p: float
    confidence: float

    @property
    def judgement(self) -> Judgement:
        """The claim, judged from its interval and Holm's p-value."""
        if self.found is None or self.found.n_seeds < max(self.planned, FEWEST_SEEDS):
            return "undecided: too few"
        if self.found.interval is None or self.holm_p > 1 - self.confidence:
            return "undecided"
        return judge_interval(self.found.interval, self.claim.value, self.claim.direction)

    @property
    def place(self) -> str:
        """The world, and the domain or the steps that the claim is about."""
        claim = self.claim
        steps = None if claim.steps is None else f"{claim.steps} step{'s' * (claim.steps > 1)}"
        return ", ".join(filter(None, (claim.world, claim.domain, steps)))


def judged_text(config: StudyConfig, plan: ReportPlan, trained: Sequence[Trained]) -> list[JudgedText]:
    """Return the registered claims, corrected by Holm over all of them, also those without a number."""
    found = []
    for claim in config.text.preregistration:
        a = found_at(trained, claim.world, claim.run_a)
        b = None if claim.run_b is None else found_at(trained, claim.world, claim.run_b)
        sides = [one.measured(claim.measure, claim.domain, claim.steps) for one in (a, b) if one is not None]
        kept_S = np.logical_and.reduce([np.isfinite(side_S) for side_S in sides])
        a_S, b_S = sides[0][kept_S], sides[1][kept_S] if len(sides) > 1 else None
        told = _told(plan, claim, a_S, b_S) if kept_S.any() else None
        names = tuple(one.label for one in (a, b) if one is not None)
        found.append((claim, names, a_S, b_S, told, len(kept_S)))
    corrected = holm([1.0 if told is None else told.p_value for *_, told, _ in found])
    return [JudgedText(*one, p, plan.confidence) for one, p in zip(found, corrected, strict=True)]


def signed(claim: TextClaim) -> bool:
    """Say whether a claim is about a difference: of two runs, or of a run and its own ceiling."""
    return claim.run_b is not None or claim.measure == "over_factorised"


def _told(plan: ReportPlan, claim: TextClaim, a_S: Floats, b_S: Floats | None) -> SeedMean:
    limits = possible(unit_of_measure(claim.measure), signed=signed(claim))
    return over_seeds(a_S, b_S, null=claim.value, confidence=plan.confidence, possible=limits)


def text_rule(plan: ReportPlan) -> str:
    """Return how these claims are judged, in words."""
    return (
        "Models of small languages: judged by Student's t over seeds, seeds as pairs, "
        f"{100 * plan.confidence:g} % intervals: confirmed when the whole interval is on the claim's side of "
        "its value, contradicted when it is wholly on the other, and only if Holm's "
        "correction over all of these claims leaves p at "
        f"{1 - plan.confidence:.3g} or less; undecided otherwise. Fewer than {FEWEST_SEEDS} seeds decide "
        "nothing. These models are trained from nothing on made-up languages: no number of theirs reproduces "
        "one of a paper."
    )


def text_claims_table(
    plan: ReportPlan, about: tuple[tuple[str, str], ...], claims: Sequence[JudgedText]
) -> Table:
    """Return the table of the claims; `about` are the facts above it."""
    heads = ("claim, registered before the run", "where", "runs")
    numbers = ("a", "b", "a, or a − b", "claimed", "Holm p")
    return Table(
        label="text_claims",
        title=f"Claims about models of small languages ({plan.study})",
        facts=(
            *about,
            (
                "Cells",
                f"means over seeds; a, or a − b with seeds as pairs: Student's t [{100 * plan.confidence:g} "
                "% interval] and its two-sided p against what is claimed. Likelihoods in nats a token, "
                "shares in percent, their differences in points",
            ),
            ("Correction", f"Holm, over {len(claims)} comparisons"),
        ),
        columns=(
            *map(Column, heads),
            *(Column(name, "", "r") for name in numbers),
            Column("judgement"),
        ),
        sections=(tuple(_row(one) for one in claims),),
        notes=(
            f"Fewer than {FEWEST_SEEDS} seeds decide nothing, and neither do equal values of all seeds, "
            "which have no interval, nor a claim that a seed has no number for.",
        ),
        records=tuple(_record(one) for one in claims),
    )


def _row(one: JudgedText) -> tuple[Lines, ...]:
    claim, unit = one.claim, unit_of_measure(one.claim.measure)
    side = "a" if claim.run_b is None else "a − b"
    sides = [
        EMPTY if side_S is None or not side_S.size else (value_text(float(side_S.mean()), unit),)
        for side_S in (one.a_S, one.b_S)
    ]
    measured: Lines = EMPTY
    if one.found is not None:
        sign = "+" if signed(claim) else ""
        seeds = f"{one.found.n_seeds} seed{'s' * (one.found.n_seeds != 1)}"
        measured = (
            f"{value_text(one.found.value, unit, sign)} {interval_text(one.found.interval, unit, sign)}",
            f"{seeds}, p {one.found.p_value:.2g}",
        )
    return (
        (claim.text, f"{claim.id}: {claim.measure}"),
        (one.place,),
        (" against ".join(one.names),),
        *sides,
        measured,
        (f"{side} {SIGNS[claim.direction]} {value_text(claim.value, unit)}",),
        (f"{one.holm_p:.2g}",),
        (one.judgement,),
    )


def _record(one: JudgedText) -> dict[str, object]:
    claim, found = one.claim, one.found
    interval = None if found is None else found.interval
    return {
        "claim": claim.id,
        "text": claim.text,
        "measure": claim.measure,
        "world": claim.world,
        "domain": claim.domain,
        "steps": claim.steps,
        "run_a": claim.run_a,
        "run_b": claim.run_b,
        "a": float(one.a_S.mean()) if one.a_S.size else None,
        "b": None if one.b_S is None or not one.b_S.size else float(one.b_S.mean()),
        "difference": None if found is None else found.value,
        "low": None if interval is None else interval.low,
        "high": None if interval is None else interval.high,
        "by_seed": None if found is None else " ".join(f"{value:.6g}" for value in found.values_S),
        "value": claim.value,
        "direction": claim.direction,
        "seeds": 0 if found is None else found.n_seeds,
        "p": None if found is None else found.p_value,
        "holm_p": one.holm_p,
        "judgement": one.judgement,
    }
