"""Claims about the probes: registered before the run, paired by problem, corrected together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xpflow.reporting.contrasts import Judgement
from xpflow.reporting.estimates import claim_columns, judged
from xpflow.reporting.markup import Table, number
from xpflow.reporting.probe_results import Probed
from xpflow.reporting.report_spec import ReportPlan
from xpflow.reporting.text_units import RESPONSE_NATS, SHARE, scaled
from xpflow.stats.bootstrap import Estimate, paired_difference
from xpflow.stats.numbers import paired_difference_of_numbers
from xpflow.stats.paired import holm
from xpflow.study.config import StudyConfig
from xpflow.study.config.probes import ProbeClaim


@dataclass(frozen=True, slots=True)
class Judged:
    """A claim on a benchmark: both sides, their difference and Holm's p-value."""

    claim: ProbeClaim
    benchmark: str
    a: float
    b: float
    difference: Estimate
    holm_p: float
    confidence: float

    @property
    def unit(self) -> str:
        """What the claim's numbers are in."""
        return RESPONSE_NATS if self.claim.measure == "nats" else SHARE

    @property
    def judgement(self) -> Judgement:
        """The claim, judged from its interval and Holm's p-value."""
        return judged(self.difference, self.claim.direction, self.holm_p, self.confidence)


def judged_claims(config: StudyConfig, plan: ReportPlan, probed: Sequence[Probed]) -> list[Judged]:
    """Return the registered claims on every benchmark, corrected by Holm over all of them."""
    found = []
    at = {(one.place, one.benchmark): one for one in probed}
    for claim in config.probes.preregistration:
        for benchmark in dict.fromkeys(one.benchmark for one in probed):
            sides = [
                at[getattr(claim, f"place_{side}"), benchmark].measured(claim, side, config.probes.snap_at[0])
                for side in ("a", "b")
            ]
            tasks = [task for task in sides[0].tasks if task in set(sides[1].tasks)]
            a_SP, b_SP = (side.of(tasks) for side in sides)
            compare = paired_difference_of_numbers if claim.measure == "nats" else paired_difference
            difference = compare(
                a_SP, b_SP, resamples=plan.resamples, seed=plan.bootstrap_seed, confidence=plan.confidence
            )
            found.append((claim, benchmark, float(a_SP.mean()), float(b_SP.mean()), difference))
    corrected = holm([one[-1].p_value for one in found])
    return [
        Judged(*one, holm_p=p, confidence=plan.confidence) for one, p in zip(found, corrected, strict=True)
    ]


def claims_table(plan: ReportPlan, about: tuple[tuple[str, str], ...], claims: Sequence[Judged]) -> Table:
    """Return the table of the claims; `about` are the facts above it."""
    rows = tuple(
        (
            (one.claim.text, one.claim.id),
            (one.benchmark,),
            *((f"{scaled(side, one.unit):.{_digits(one)}f}",) for side in (one.a, one.b)),
            (_difference(one), f"Holm p {one.holm_p:.2g}"),
            (one.judgement,),
        )
        for one in claims
    )
    nats = any(one.unit == RESPONSE_NATS for one in claims)
    units = ("percent (nats: of a response)", "points (nats)") if nats else ("percent", "points")
    told = (
        f"a and b in {units[0]}, means over problems; their difference in {units[1]}, paired by problem "
        f"[{100 * plan.confidence:g} % interval]"
    )
    return Table(
        label="probes_claims",
        title=f"Claims about the probes ({plan.study})",
        facts=(*about, ("Cells", told), ("Correction", f"Holm, over {len(claims)} comparisons")),
        columns=claim_columns("a", "b", "a − b"),
        sections=(rows,),
        records=tuple(
            {
                "claim": one.claim.id,
                "text": one.claim.text,
                "measure": one.claim.measure,
                "at": one.claim.at,
                "benchmark": one.benchmark,
                **_sides(one),
                "difference": scaled(one.difference.value, one.unit),
                "low": scaled(one.difference.interval.low, one.unit),
                "high": scaled(one.difference.interval.high, one.unit),
                "p": one.difference.p_value,
                "holm_p": one.holm_p,
                "judgement": one.judgement,
            }
            for one in claims
        ),
    )


def _sides(one: Judged) -> dict[str, float]:
    """Return both sides of a claim by the names of their columns."""
    ending = "_nats" if one.unit == RESPONSE_NATS else "_percent"
    return {f"{name}{ending}": scaled(side, one.unit) for name, side in (("a", one.a), ("b", one.b))}


def _digits(one: Judged) -> int:
    return 3 if one.unit == RESPONSE_NATS else 1


def _difference(one: Judged) -> str:
    ends = (one.difference.value, one.difference.interval.low, one.difference.interval.high)
    value, low, high = (number(scaled(end, one.unit), digits=_digits(one)) for end in ends)
    return f"{value} [{low}, {high}]"
