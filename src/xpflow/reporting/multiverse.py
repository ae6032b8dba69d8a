"""The tables of a multiverse: every universe, every reading, and under which share of them claims hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xpflow.reporting.estimates import percent_text, points_record, points_text
from xpflow.reporting.markup import EMPTY, Column, Lines, Table, number
from xpflow.reporting.readings import (
    ClaimHeld,
    Universes,
    ValueRead,
    best_reading,
    claims_held,
    reading_text,
    universes_read,
    values_read,
)
from xpflow.reporting.report_spec import ReportPlan
from xpflow.reporting.results import Outcomes
from xpflow.reporting.tables import facts
from xpflow.study.config import StudyConfig
from xpflow.study.config.base import budget_text

UNIVERSES = (
    "percent solved, ordered by that on {where}; [{confidence:g} % interval over problems]. Claims: how many "
    "hold as they stand under this reading, of those that are asked here"
)
READINGS = (
    "means over the universes with a value in which the reading means something; the difference from the "
    "default value in points [interval over problems]: a main effect where all universes are run, and where "
    "others were drawn at random one with their noise in it"
)
CLAIMS = (
    "share of the universes in which the claim holds as it stands [interval over problems: the universes are "
    "all asked the same ones]; confirmed and contradicted: by intervals, and by Holm's correction over the "
    "universes; median of a − least · b in points"
)


def multiverse_tables(config: StudyConfig, plan: ReportPlan, outcomes: Outcomes) -> list[Table]:
    """Return the tables of universes, of readings, and of claims."""
    places = universes_read(config, outcomes)
    claims = claims_held(config, plan, outcomes, places)
    return [
        _universes_table(config, plan, places, claims),
        _readings_table(plan, values_read(config, plan, places)),
        _claims_table(config, plan, places, claims),
    ]


def _universes_table(
    config: StudyConfig, plan: ReportPlan, places: Sequence[Universes], claims: Sequence[ClaimHeld]
) -> Table:
    block = config.multiverse
    sections, records = [], []
    for place in places:
        chosen = best_reading(config, places, place.model)
        asked = [one for one in claims if one.place is place]
        rows: list[tuple[Lines, ...]] = []
        for k in sorted(range(len(place.universes)), key=lambda k: -place.validation[k].accuracy):
            universe, test, validation = place.universes[k], place.test[k], place.validation[k]
            holds = {one.claim.id: one.held.holds[k] for one in asked}
            is_best = chosen is not None and chosen.number == universe.number
            told = reading_text(config, universe)
            rows.append(
                (
                    (place.where,),
                    (str(universe.number),),
                    (told, "the best") if is_best else (told,),
                    (f"{100 * validation.accuracy:.1f}",),
                    (percent_text(plan, test.passed_SP),),
                    (f"{test.nfe:.1f}",),
                    (f"{sum(holds.values())} of {len(holds)}",),
                )
            )
            records.append(
                {
                    "model": place.model,
                    "benchmark": place.benchmark,
                    "universe": universe.number,
                    **universe.values,
                    "validation_percent": 100 * validation.accuracy,
                    "validation_nfe": validation.nfe,
                    "percent": 100 * test.accuracy,
                    "mean_nfe": test.nfe,
                    "best": is_best,
                    **{f"holds: {one.id}": holds.get(one.id) for one in block.preregistration},
                    "arms": " ".join(universe.arms.values()),
                }
            )
        sections.append(tuple(rows))
    how = UNIVERSES.format(where=_where(config, plan), confidence=100 * plan.confidence)
    return Table(
        label="multiverse",
        title=f"Every reading of {block.decoder} ({plan.study})",
        facts=_facts(plan, ("Cells", how), ("Budget", f"{budget_text(block.budget)} of N")),
        columns=_columns(
            ("where", "no.", "reading"), ("validation", "percent solved", "NFE", "claims that hold")
        ),
        sections=tuple(sections),
        notes=_notes(config),
        records=tuple(records),
    )


def _readings_table(plan: ReportPlan, found: Sequence[ValueRead]) -> Table:
    rows: list[tuple[Lines, ...]] = []
    records = []
    for one in found:
        point = "" if one.reading.point is None else f"({one.reading.point})"
        seen = one.universes > 0
        rows.append(
            (
                (one.place.where,),
                (f"{point} {one.reading.name}".strip(),),
                (str(one.value),),
                (str(one.universes),),
                (f"{100 * one.accuracy:.1f}",) if seen else EMPTY,
                (f"{one.nfe:.1f}",) if seen else EMPTY,
                EMPTY if one.difference is None else (points_text(one.difference),),
            )
        )
        nothing: dict[str, Any] = dict.fromkeys(("difference", "low", "high", "p"))
        records.append(
            {
                "model": one.place.model,
                "benchmark": one.place.benchmark,
                "reading": one.reading.name,
                "point": one.reading.point,
                "value": one.value,
                "universes": one.universes,
                "percent": 100 * one.accuracy if seen else None,
                "mean_nfe": one.nfe if seen else None,
                **(nothing if one.difference is None else points_record(one.difference)),
            }
        )
    return Table(
        label="multiverse_readings",
        title=f"What each open point does ({plan.study})",
        facts=_facts(plan, ("Cells", READINGS)),
        columns=_columns(
            ("where", "open point", "value"), ("universes", "percent solved", "NFE", "against the default")
        ),
        sections=(tuple(rows),),
        records=tuple(records),
    )


def _claims_table(
    config: StudyConfig, plan: ReportPlan, places: Sequence[Universes], claims: Sequence[ClaimHeld]
) -> Table:
    rows: list[tuple[Lines, ...]] = []
    records = []
    for one in claims:
        found, best = one.held, best_reading(config, places, one.place.model)
        share, median = found.interval.scaled(100), found.median_interval.scaled(100)
        under = {
            "default": found.holds[0],
            "best": None if best is None else found.holds[best.number],
        }
        told = ", ".join(f"{name}: {_yes(value)}" for name, value in under.items())
        rows.append(
            (
                (one.claim.text, one.claim.id),
                (one.place.where,),
                (f"{100 * found.share:.0f} % [{share.low:.0f}, {share.high:.0f}]", f"of {found.universes}"),
                (f"{found.decided} / {found.against}",),
                (f"{number(100 * found.median)} [{number(median.low)}, {number(median.high)}]",),
                (told,),
            )
        )
        records.append(
            {
                "claim": one.claim.id,
                "text": one.claim.text,
                "model": one.place.model,
                "benchmark": one.place.benchmark,
                "universes": found.universes,
                "share": 100 * found.share,
                "share_low": share.low,
                "share_high": share.high,
                "confirmed": found.decided,
                "contradicted": found.against,
                "median": 100 * found.median,
                "median_low": median.low,
                "median_high": median.high,
                **{f"holds under the {name}": value for name, value in under.items()},
            }
        )
    return Table(
        label="multiverse_claims",
        title=f"Claims of the paper over its readings ({plan.study})",
        facts=_facts(plan, ("Cells", CLAIMS)),
        columns=_columns(
            ("claim, registered before the run", "where"),
            ("holds in", "confirmed / contradicted", "median", "as it stands under"),
        ),
        sections=(tuple(rows),),
        records=tuple(records),
    )


def _yes(value: bool | None) -> str:
    return "–" if value is None else "yes" if value else "no"


def _where(config: StudyConfig, plan: ReportPlan) -> str:
    chosen_on = config.multiverse.validation
    return ", ".join(
        f"{chosen_on[name]} for {name}"
        if name in chosen_on
        else f"its own problems, which is optimistic, for {name}"
        for name in plan.benchmarks
    )


def _facts(plan: ReportPlan, *more: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    return (*facts(plan, reading=False), *more)


def _columns(left: Sequence[str], right: Sequence[str]) -> tuple[Column, ...]:
    return (*(Column(name) for name in left), *(Column(name, "", "r") for name in right))


def _notes(config: StudyConfig) -> tuple[str, ...]:
    """Return the readings with their values, the default first, and what is run beside the whole."""
    block = config.multiverse
    notes = []
    for one in block.readings:
        needs = ", ".join(f"{key}={value}" for key, value in one.needs.items())
        point = "" if one.point is None else f" (open point {one.point})"
        values = ", ".join(map(str, one.values))
        notes.append(f"{one.name}{point}: {one.setting} in {values}" + (f"; with {needs}." if needs else "."))
    for variant in block.variants:
        parts = [f"{key}={value}" for key, value in variant.settings.items()]
        parts += [f"policy {variant.policy}"] if variant.policy else []
        parts += [f"weights {variant.weights}"] if variant.weights else []
        notes.append(f"Variant {variant.name}: {', '.join(parts)}.")
    draws = f"{block.repeats} draws, seed {block.seed}, of readings with more than two values"
    return (*notes, f"The full factorial of the readings with two values; {draws}.")
