"""The tables of curves of accuracy against forwards: the curves, their settings, the claims about them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from xpflow.reporting.contrasts import NFE_TOLERANCE
from xpflow.reporting.curves import (
    Compared,
    Swept,
    against_reference,
    by_place,
    compared,
    full_budget,
    swept_curves,
)
from xpflow.reporting.estimates import claim_columns, percent_text, points_text
from xpflow.reporting.from_config import arm_label
from xpflow.reporting.markup import EMPTY, Column, Lines, Table
from xpflow.reporting.report_spec import ReportPlan
from xpflow.reporting.results import Outcomes
from xpflow.reporting.tables import facts
from xpflow.reporting.training_cost import training_cost_table
from xpflow.stats.frontier import Point, area, at_accuracy, aup, front, recovery
from xpflow.study.config import StudyConfig
from xpflow.study.config.base import budget_text
from xpflow.study.config.frontier import arms_of
from xpflow.study.result_files import REVISIONS
from xpflow.study.rows import Cell

POINT_HEADS = (
    *("where", "curve", "setting", "percent solved", "passes (NFE)", "rows", "positions"),
    *("revised", "the same again", "chosen"),
)
FALLS = (0.01, 0.05)  # of accuracy, for which the forwards are asked
HOW = (
    "settings and their mixtures are chosen on {where}; below each accuracy the mean NFE that ran. Area: "
    "mean accuracy over log2(NFE / N) from {lowest} to 1, with 0 where no setting is cheap enough. NFE at −1 "
    "and −5 points of mask prediction with one token a forward; recovery: share of what that solves which is "
    "solved at {headline} of N. AUP is d3LLM's, for comparison with its numbers: one fast and bad point can "
    "raise it."
)

ONLY = (
    "problems that one curve solves and the other does not: wrong to right and right to wrong; between two "
    "settings a problem counts by its share"
)


def frontier_tables(config: StudyConfig, plan: ReportPlan, outcomes: Outcomes, results: Path) -> list[Table]:
    """Return the tables of curves, of their points, of the claims about them, and of what training cost.

    The last is there where the study asks for it; `results` is results/<study>.
    """
    curves = swept_curves(config, outcomes)
    others = against_reference(config, plan, curves)
    costs = (
        [training_cost_table(config, plan, curves, others, results)] if config.reporting.training_cost else []
    )
    return [
        _curves_table(config, plan, outcomes, curves, others),
        _points_table(config, plan, outcomes, curves),
        _claims_table(config, plan, compared(config, plan, curves)),
        *costs,
    ]


def _facts(config: StudyConfig, plan: ReportPlan) -> tuple[tuple[str, str], ...]:
    block = config.frontier
    where = ", ".join(
        f"{block.validation[name]} for {name}"
        if name in block.validation
        else f"its own problems, which is optimistic, for {name}"
        for name in plan.benchmarks
    )
    told = HOW.format(
        where=where, lowest=budget_text(min(block.at)), headline=budget_text(plan.headline_budget)
    )
    return (*facts(plan, reading=False), ("Cells", told), ("Reference", block.reference_name))


def _curves_table(
    config: StudyConfig,
    plan: ReportPlan,
    outcomes: Outcomes,
    curves: Sequence[Swept],
    others: Sequence[Compared],
) -> Table:
    block, headline = config.frontier, plan.headline_budget
    lowest = float(min(block.at))
    differences = {(one.a.name, one.a.model, one.a.benchmark, one.at): one for one in others}
    sections, records = [], []
    for place, members in by_place(curves):
        full = full_budget(plan, outcomes, config, place, members)
        best = max(point.accuracy for one in members for point in one.points)
        rows = []
        for one in members:
            under = area(one.chosen_on, one.points, one.length, lowest)
            cells: list[Lines] = [(", ".join(place),), (one.label,), (_knob(one),)]
            record: dict[str, Any] = {
                "model": place[0],
                "benchmark": place[1],
                "curve": one.name,
                "decoder": one.curve.decoder,
                "knob": one.curve.knob,
                "settings": len(one.points),
            }
            for share in block.at:
                found, name = one.at(share), budget_text(share)
                cells.append(EMPTY if found is None else _accuracy(plan, found))
                record |= {
                    f"percent at {name}": None if found is None else 100 * found.accuracy,
                    f"nfe at {name}": None if found is None else found.nfe,
                    f"setting at {name}": None if found is None else found.label,
                }
                against = differences.get((one.name, *place, share))
                record |= {
                    f"difference at {name}": None if against is None else 100 * against.difference.value,
                    f"low at {name}": None if against is None else 100 * against.difference.interval.low,
                    f"high at {name}": None if against is None else 100 * against.difference.interval.high,
                    f"holm_p at {name}": None if against is None else against.holm_p,
                }
            against = differences.get((one.name, *place, headline))
            cells.append(EMPTY if against is None else _difference(against))
            cells.append(_interval(plan, under))
            record["area"] = 100 * under.accuracy
            for fall in FALLS:
                mixture = at_accuracy(one.chosen_on, full[0].accuracy - fall)
                point = None if mixture is None else mixture.of(one.points)
                cells.append(
                    EMPTY if point is None else (f"{point.nfe:.1f}", f"{100 * point.accuracy:.1f} %")
                )
                record[f"nfe at −{100 * fall:g}".replace("−", "-")] = None if point is None else point.nfe
            at_headline = one.at(headline)
            kept = float("nan") if at_headline is None else recovery(at_headline.passed_SP, full[1].passed_SP)
            measure = aup(one.points, one.length, best)
            cells += [EMPTY if np.isnan(kept) else (f"{100 * kept:.1f}",), (f"{measure:.0f}",)]
            record |= {"recovery": None if np.isnan(kept) else 100 * kept, "aup": measure}
            rows.append(tuple(cells))
            records.append(record)
        sections.append(tuple(rows))
    return Table(
        label="frontier",
        title=f"Accuracy against forwards ({plan.study})",
        facts=_facts(config, plan),
        columns=_columns(config, plan),
        sections=tuple(sections),
        notes=_notes(config),
        records=tuple(records),
    )


def _columns(config: StudyConfig, plan: ReportPlan) -> tuple[Column, ...]:
    at = [Column(budget_text(share), "percent solved at NFE / N", "r") for share in config.frontier.at]
    against = f"{budget_text(plan.headline_budget)}, against {config.frontier.reference_name}"
    rest = (against, "area", "NFE at −1", "NFE at −5", "recovery", "AUP")
    return (Column("where"), Column("curve"), Column("knob"), *at, *(Column(name, "", "r") for name in rest))


def _notes(config: StudyConfig) -> tuple[str, ...]:
    notes = []
    for curve in config.frontier.curves:
        arm = next(arms_of(curve, curve.weights[0]))
        shared = {**config.evaluation.settings, **curve.settings}
        told = ", ".join(f"{key}={value}" for key, value in shared.items())
        values = ", ".join(map(str, curve.values))
        kind = arm_label(arm.model_copy(update={"settings": curve.settings}))
        notes.append(f"{curve.name}: {kind}; {curve.knob} in {values}; {told}; policy {curve.policy}.")
    return tuple(notes)


def _points_table(
    config: StudyConfig, plan: ReportPlan, outcomes: Outcomes, curves: Sequence[Swept]
) -> Table:
    """Return every setting with its three costs."""
    sections, records = [], []
    for place, members in by_place(curves):
        rows = []
        for one in members:
            kept = set(front(one.chosen_on))
            for k, (cell, point) in enumerate(zip(one.cells, one.points, strict=True)):
                stats = outcomes.stats(*cell, plan.confidence)
                costs = {name: _mean(outcomes, name, cell) for name in ("rows", "positions", *REVISIONS)}
                revised, again = costs["revised"], costs["flip_flops"] / (costs["remasked"] or np.nan)
                interval = stats.rate.interval.scaled(100)
                rows.append(
                    (
                        (", ".join(place),),
                        (one.label,),
                        (f"{_knob(one)} {point.label}",),
                        (f"{100 * stats.rate.mean:.1f} [{interval.low:.1f}, {interval.high:.1f}]",),
                        (f"{stats.nfe:.2f}",),
                        *((_told(costs[name]),) for name in ("rows", "positions")),
                        (_told(revised),),
                        (_told(100 * again, " %"),),
                        ("yes" if k in kept else "",),
                    )
                )
                records.append(
                    {
                        "model": place[0],
                        "benchmark": place[1],
                        "curve": one.name,
                        "setting": point.label,
                        "percent": 100 * stats.rate.mean,
                        "wilson_low": interval.low,
                        "wilson_high": interval.high,
                        "passes": stats.rate.passes,
                        "answers": stats.rate.answers,
                        "mean_nfe": stats.nfe,
                        **{
                            f"mean_{name}": value if np.isfinite(value) else None
                            for name, value in costs.items()
                        },
                        "on_front": k in kept,
                    }
                )
        sections.append(tuple(rows))
    return Table(
        label="frontier_points",
        title=f"Settings of the curves ({plan.study})",
        facts=(
            *facts(plan, reading=False),
            (
                "Cells",
                f"[{100 * plan.confidence:g} % Wilson interval]. Means per answer: passes are forwards one "
                "after the other, rows are batch rows summed over them, positions are what was fed to the "
                "model. Revised: decisions taken back; the same again: of the tokens that became masks, the "
                "share that came back as they were. Chosen: no cheaper setting solves as many validation "
                "problems",
            ),
        ),
        columns=tuple(Column(name, "", "l" if place < 3 else "r") for place, name in enumerate(POINT_HEADS)),
        sections=tuple(sections),
        records=tuple(records),
    )


def _claims_table(config: StudyConfig, plan: ReportPlan, claims: Sequence[Compared]) -> Table:
    rows, records = [], []
    told = any(one.against or one.at != one.at_b for one in claims)
    for one in claims:
        a, b = one.found
        gained, lost = one.exchanged
        off = one.at == one.at_b and abs(a.nfe - b.nfe) > NFE_TOLERANCE * max(a.nfe, b.nfe)
        rows.append(
            (
                (one.text, one.id),
                (f"{one.a.model}, {one.a.benchmark}",),
                (f"{100 * a.accuracy:.1f}", f"NFE {a.nfe:.1f}"),
                (f"{100 * b.accuracy:.1f}", f"NFE {b.nfe:.1f}" + (" (not equal)" if off else "")),
                (*_difference(one), *filter(None, (one.against,))),
                (f"{gained:.1f}", f"{lost:.1f}"),
                (one.judgement,),
            )
        )
        records.append(
            {
                "claim": one.id,
                "text": one.text,
                "model": one.a.model,
                "benchmark": one.a.benchmark,
                "curve_a": one.a.name,
                "curve_b": one.b.name,
                "at": budget_text(one.at),
                **({"at_b": budget_text(one.at_b), "least": one.least, "by": 100 * one.by} if told else {}),
                "a_percent": 100 * a.accuracy,
                "b_percent": 100 * b.accuracy,
                "a_nfe": a.nfe,
                "b_nfe": b.nfe,
                "a_setting": a.label,
                "b_setting": b.label,
                "difference": 100 * one.difference.value,
                "low": 100 * one.difference.interval.low,
                "high": 100 * one.difference.interval.high,
                "p": one.difference.p_value,
                "holm_p": one.holm_p,
                "only_a": gained,
                "only_b": lost,
                "judgement": one.judgement,
            }
        )
    return Table(
        label="frontier_claims",
        title=f"Claims about curves at equal NFE ({plan.study})",
        facts=(
            *_facts(config, plan),
            ("Correction", f"Holm, over {len(claims)} comparisons"),
            ("Only", ONLY),
        ),
        columns=claim_columns("a", "b", "a − b", "only a, only b"),
        sections=(tuple(rows),),
        records=tuple(records),
    )


def _mean(outcomes: Outcomes, column: str, cell: Cell) -> float:
    """Return the mean of a cost over seeds and problems; NaN where samples do not have it."""
    return float(outcomes.mean_of(column, *cell).mean())


def _told(value: float, unit: str = "") -> str:
    return f"{value:.1f}{unit}" if np.isfinite(value) else "–"


def _knob(one: Swept) -> str:
    return one.curve.knob


def _accuracy(plan: ReportPlan, point: Point) -> Lines:
    return (_interval(plan, point)[0], f"NFE {point.nfe:.1f}")


def _interval(plan: ReportPlan, point: Point) -> Lines:
    return (percent_text(plan, point.passed_SP),)


def _difference(one: Compared) -> Lines:
    return (points_text(one.difference), f"Holm p {one.holm_p:.2g}")
