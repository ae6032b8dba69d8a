"""The tables of a factorial: cells at one mean NFE, effects and interactions, shares of gains, claims."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xpflow.reporting.cells import (
    CellRead,
    EffectRead,
    Factored,
    change_text,
    claims_read,
    effects,
    factored,
    gains,
)
from xpflow.reporting.estimates import percent_text, points_record, points_text
from xpflow.reporting.markup import EMPTY, Column, Lines, Table
from xpflow.reporting.report_spec import ReportPlan
from xpflow.reporting.results import Outcomes
from xpflow.reporting.tables import facts
from xpflow.stats.factorial import Share
from xpflow.study.config import StudyConfig
from xpflow.study.config.base import budget_text
from xpflow.study.config.factorial import FactorialBlock

HOW = (
    "[{confidence:g} % interval over problems] at a mean NFE of {at} of N: the mixture of a cell's two "
    "settings next to it, at random for each problem; where all are cheaper the dearest, with the NFE that "
    "ran. Nothing is chosen by what it solves"
)
EFFECTS = (
    "difference in points [interval], the mean over all contexts, the combinations of the other factors, in "
    "which both cells are there; interactions (×) are differences of such differences"
)
SHARES = (
    "Shapley values in points [interval], and as shares of the whole: a factor's mean contribution over the "
    "orders in which the factors can change one by one with every cell on the way there. They add up to the "
    "whole. Shares are told where the whole's interval excludes zero"
)


def factorial_tables(config: StudyConfig, plan: ReportPlan, outcomes: Outcomes) -> list[Table]:
    """Return the tables of cells, of effects, of shares, and of claims."""
    places = factored(config, outcomes)
    return [
        _cells_table(config, plan, places),
        _effects_table(config.factorial, plan, effects(config, plan, places)),
        _shares_table(config, plan, places),
        _claims_table(config, plan, places),
    ]


def _facts(plan: ReportPlan, *more: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    return (*facts(plan, reading=False), *more)


def _columns(left: Sequence[str], right: Sequence[str]) -> tuple[Column, ...]:
    return (*(Column(name) for name in left), *(Column(name, "", "r") for name in right))


def _cells_table(config: StudyConfig, plan: ReportPlan, places: Sequence[Factored]) -> Table:
    block = config.factorial
    sections, records = [], []
    for place in places:
        rows: list[tuple[Lines, ...]] = []
        for one in place.cells:
            levels = tuple((level,) for level in one.cell.levels)
            rows.append(((place.where,), *levels, *_cell(plan, one)))
            records.append({**_place(place), **_levels(block, one.cell.levels), **_cell_record(one)})
        sections.append(tuple(rows))
    how = HOW.format(confidence=100 * plan.confidence, at=budget_text(block.at))
    return Table(
        label="factorial",
        title=f"Decoders by their parts ({plan.study})",
        facts=_facts(plan, ("Cells", how)),
        columns=_columns(("where", *block.names), ("percent solved", "NFE", "settings (NFE: percent)")),
        sections=tuple(sections),
        notes=_notes(config),
        records=tuple(records),
    )


def _cell(plan: ReportPlan, one: CellRead) -> tuple[Lines, ...]:
    ran = tuple(f"{point.label} ({point.nfe:.1f}: {100 * point.accuracy:.1f})" for point in one.points)
    if one.found is None:
        return EMPTY, EMPTY, (one.why,)
    return (percent_text(plan, one.found.passed_SP),), (f"{one.found.nfe:.1f}",), (", ".join(ran),)


def _cell_record(one: CellRead) -> dict[str, Any]:
    found = one.found
    return {
        "percent": None if found is None else 100 * found.accuracy,
        "mean_nfe": None if found is None else found.nfe,
        "setting": None if found is None else found.label,
        "arms": " ".join(arm.name for arm in one.cell.arms),
        "missing": one.why,
    }


def _effects_table(block: FactorialBlock, plan: ReportPlan, found: Sequence[EffectRead]) -> Table:
    alone = [one for one in found if len(one.effect.changes) == 1]
    both = [one for one in found if len(one.effect.changes) > 1]
    sections = tuple(tuple(_effect(block, one) for one in part) for part in (alone, both) if part)
    records = [
        {
            **_place(one.place),
            "kind": "effect" if len(one.effect.changes) == 1 else "interaction",
            "effect": change_text(block, one.effect.changes),
            "contexts": one.effect.contexts,
            **points_record(one.effect.estimate),
            "holm_p": one.holm_p,
        }
        for one in found
    ]
    return Table(
        label="factorial_effects",
        title=f"Effects of the parts, and their interactions ({plan.study})",
        facts=_facts(plan, ("Cells", EFFECTS), ("Correction", f"Holm, over {len(found)} effects")),
        columns=_columns(("where", "effect"), ("contexts", "points", "Holm p")),
        sections=sections,
        records=tuple(records),
    )


def _effect(block: FactorialBlock, one: EffectRead) -> tuple[Lines, ...]:
    return (
        (one.place.where,),
        (change_text(block, one.effect.changes),),
        (str(one.effect.contexts),),
        (points_text(one.effect.estimate),),
        (f"{one.holm_p:.2g}",),
    )


def _shares_table(config: StudyConfig, plan: ReportPlan, places: Sequence[Factored]) -> Table:
    block = config.factorial
    sections: list[tuple[tuple[Lines, ...], ...]] = []
    records = []
    for place, path, found in gains(config, plan, places):
        start, goal = block.ends(path)
        ends = f"{', '.join(start)} → {', '.join(goal)}"
        head: tuple[Lines, ...] = ((place.where,), (path.name, ends))
        if found is None:
            sections.append(((*head, ("no way whose cells are all there",), EMPTY, EMPTY),))
            continue
        orders = f"{found.orders} of {found.all_orders} orders"
        whole: tuple[Lines, ...] = (("the whole",), (points_text(found.estimate),), (orders,))
        rows = [(*head, *whole)]
        record = {**_place(place), "gain": path.name, "orders": found.orders}
        records.append({**record, "factor": "", **points_record(found.estimate), **_share_record(None)})
        for one in found.shares:
            told = (points_text(one.value),), (_share(one),)
            rows.append((*head, (block.names[one.factor],), *told))
            name = block.names[one.factor]
            records.append({**record, "factor": name, **points_record(one.value), **_share_record(one)})
        sections.append(tuple(rows))
    return Table(
        label="factorial_shares",
        title=f"Gains, shared out over the parts ({plan.study})",
        facts=_facts(plan, ("Cells", SHARES)),
        columns=_columns(("where", "gain", "factor"), ("points", "share")),
        sections=tuple(sections),
        records=tuple(records),
    )


def _share(one: Share) -> str:
    if one.share is None or one.interval is None:
        return "–"
    interval = one.interval.scaled(100)
    return f"{100 * one.share:.0f} % [{interval.low:.0f}, {interval.high:.0f}]"


def _share_record(one: Share | None) -> dict[str, Any]:
    interval = None if one is None or one.interval is None else one.interval.scaled(100)
    return {
        "share": None if one is None or one.share is None else 100 * one.share,
        "share_low": None if interval is None else interval.low,
        "share_high": None if interval is None else interval.high,
    }


def _claims_table(config: StudyConfig, plan: ReportPlan, places: Sequence[Factored]) -> Table:
    block, found = config.factorial, claims_read(config, plan, places)
    rows, records = [], []
    for one in found:
        about = _about(block, one.claim.factor, one.claim.level, one.claim.against, one.claim.over)
        over = "" if one.contexts is None else f"{one.contexts} contexts"
        rows.append(
            (
                (one.claim.text, one.claim.id),
                (one.place.where,),
                (about, over),
                (points_text(one.estimate), f"Holm p {one.holm_p:.2g}"),
                (one.judgement,),
            )
        )
        records.append(
            {
                "claim": one.claim.id,
                "text": one.claim.text,
                **_place(one.place),
                "about": about,
                "contexts": one.contexts,
                **points_record(one.estimate),
                "holm_p": one.holm_p,
                "judgement": one.judgement,
            }
        )
    return Table(
        label="factorial_claims",
        title=f"Claims about parts of decoders ({plan.study})",
        facts=_facts(plan, ("Correction", f"Holm, over {len(found)} comparisons")),
        columns=(
            *_columns(("claim, registered before the run", "where", "about"), ("points",)),
            Column("judgement"),
        ),
        sections=(tuple(rows),),
        records=tuple(records),
    )


def _about(
    block: FactorialBlock, factor: str, level: str | None, against: str | None, over: str | None
) -> str:
    if level is None:
        return f"Shapley values: {factor} − {over}"
    return f"{factor}: {level} − {against or block.factor(factor).levels[0].name}"


def _place(place: Factored) -> dict[str, str]:
    return {"model": place.model, "benchmark": place.benchmark}


def _levels(block: FactorialBlock, levels: Sequence[str]) -> dict[str, str]:
    return dict(zip(block.names, levels, strict=True))


def _notes(config: StudyConfig) -> tuple[str, ...]:
    notes = []
    for factor in config.factorial.factors:
        for level in factor.levels:
            parts = [f"decoder {level.decoder}"] if level.decoder else []
            parts += [f"{key}={value}" for key, value in level.settings.items()]
            parts += [f"policy {level.policy}"] if level.policy else []
            parts += [f"weights {level.weights}"] if level.weights else []
            parts += [f"{level.knob} in {', '.join(map(str, level.values))}"] if level.knob else []
            notes.append(f"{factor.name}, {level.name}: {', '.join(parts) or 'nothing of its own'}.")
    return tuple(notes)
