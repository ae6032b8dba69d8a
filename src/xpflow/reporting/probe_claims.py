"""Claims about the probes: registered before the run, paired by problem, corrected together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xpflow.reporting.contrasts import Judgement, judge
from xpflow.reporting.markup import Column, Table, number
from xpflow.reporting.probe_results import Probed
from xpflow.reporting.report_spec import ReportPlan
from xpflow.stats.bootstrap import Estimate, paired_difference
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
    def judgement(self) -> Judgement:
        """The claim, judged from its interval and Holm's p-value."""
        told = judge(self.difference, 0.0, self.claim.direction, self.confidence)
        survives = self.holm_p <= 1 - self.confidence
        return told if survives or told == "undecided: too few" else "undecided"


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
            difference = paired_difference(
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
            (f"{100 * one.a:.1f}",),
            (f"{100 * one.b:.1f}",),
            (_difference(one), f"Holm p {one.holm_p:.2g}"),
            (one.judgement,),
        )
        for one in claims
    )
    told = (
        "a and b in percent, means over problems; their difference in points, paired by problem "
        f"[{100 * plan.confidence:g} % interval]"
    )
    return Table(
        label="probes_claims",
        title=f"Claims about the probes ({plan.study})",
        facts=(*about, ("Cells", told), ("Correction", f"Holm, over {len(claims)} comparisons")),
        columns=(
            Column("claim, registered before the run"),
            Column("where"),
            *(Column(name, "", "r") for name in ("a", "b", "a − b")),
            Column("judgement"),
        ),
        sections=(rows,),
        records=tuple(
            {
                "claim": one.claim.id,
                "text": one.claim.text,
                "measure": one.claim.measure,
                "at": one.claim.at,
                "benchmark": one.benchmark,
                "a_percent": 100 * one.a,
                "b_percent": 100 * one.b,
                "difference": 100 * one.difference.value,
                "low": 100 * one.difference.interval.low,
                "high": 100 * one.difference.interval.high,
                "p": one.difference.p_value,
                "holm_p": one.holm_p,
                "judgement": one.judgement,
            }
            for one in claims
        ),
    )


def _difference(one: Judged) -> str:
    low, high = one.difference.interval.low, one.difference.interval.high
    return f"{number(100 * one.difference.value)} [{number(100 * low)}, {number(100 * high)}]"
