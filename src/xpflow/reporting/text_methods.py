"""The tables of what a method is about: orders that are learned, and one step that agrees with itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from xpflow.reporting.markup import EMPTY, Lines, Table
from xpflow.reporting.report_spec import ReportPlan
from xpflow.reporting.text_cells import (
    columns_of,
    difference_cell,
    mean_cell,
    mean_record,
    mean_text,
    named,
    names_of,
    or_none,
    plain_cell,
    text_facts,
)
from xpflow.reporting.text_kinds import learned_order, taught_by
from xpflow.reporting.text_results import Trained, updates_of
from xpflow.reporting.text_units import SHARE
from xpflow.stats.seeds import Floats
from xpflow.study.config import StudyConfig
from xpflow.study.config.text import TextBlock
from xpflow.study.text_tables import agreement_worlds

ORDERS = (
    "means over seeds [{confidence:g} % t interval]. Order's entropy: percent of log L!, which is the "
    "uniform order's. Spread: largest over smallest power of a sentence. First: percent that decide the "
    "first place first. Correlation: of a place's rate with the probability of its word, and of power "
    "with it within one state. Order off: what the excess rises by, in nats a token, without the order. "
    "Exact: L_velocity that the order costs an exact denoiser"
)
AGREEMENT = (
    "percent, means over seeds [{confidence:g} % t interval]. Agreement: one step puts one word everywhere, "
    "exact but for the noise drawn. Ceiling: the most that the model's own marginals allow without noise in "
    "common. Times: agreement over ceiling, geometric mean. Entropies in percent of log V: of a place, and "
    "of the word agreed on. I: between noise and a place's word, in nats"
)


def orders_table(config: StudyConfig, plan: ReportPlan, worlds: dict[str, list[Trained]]) -> Table:
    """Return the orders that runs with a learned schedule have."""
    rows, records = [], []
    for one in (one for runs in worlds.values() for one in runs if learned_order(config.text, one)):
        entropy_S, first_S = one.measured("order_entropy"), one.measured("first_is_first")
        off_S, on_S = one.bound("excess", off=True), one.bound("excess")
        correlation, within = one.values("orders", "correlation"), one.values("orders", "within")
        exact_S = one.nats("oracle", "velocity")
        rows.append(
            (
                *names_of(config.text, one),
                mean_cell(plan, entropy_S, SHARE),
                plain_cell(one.values("orders", "spread"), ".2f"),
                mean_cell(plan, first_S, SHARE),
                (f"{plain_cell(correlation, '.2f')[0]}, {plain_cell(within, '.2f')[0]}",),
                difference_cell(plan, off_S, on_S),
                mean_cell(plan, exact_S),
            )
        )
        records.append(
            {
                **named(one),
                **mean_record(plan, "order_entropy", entropy_S, unit=SHARE),
                "spread": or_none(one.values("orders", "spread")),
                **mean_record(plan, "first_is_first", first_S, unit=SHARE),
                "correlation": or_none(correlation),
                "within": or_none(within),
                **mean_record(plan, "order_off_less_on", off_S, on_S),
                **mean_record(plan, "exact_velocity", exact_S),
            }
        )
    names = ("order's entropy", "spread", "first", "correlation, within", "order off", "exact velocity")
    return Table(
        label="text_orders",
        title=f"Orders that are learned ({plan.study})",
        facts=text_facts(config, plan, ORDERS),
        columns=columns_of(*names),
        sections=(tuple(rows),),
        notes=(
            "The paper's powers sum to c1 L, so that its order's entropy lies between 0 and log L! by "
            "construction: that it does not collapse says nothing (docs/masking.md).",
        ),
        records=tuple(records),
    )


def agreement_table(config: StudyConfig, plan: ReportPlan, worlds: dict[str, list[Trained]]) -> Table:
    """Return the agreement of one step on worlds that repeat a word."""
    block, sections, records = config.text, [], []
    for world in agreement_worlds(block):
        rows = []
        for one in worlds.get(world, []):
            found_S, ceiling_S = one.measured("agreement"), one.values("one_step", "ceiling")
            times = _geometric(found_S / ceiling_S)
            rows.append(
                (
                    *names_of(block, one),
                    _couplings(block, one),
                    mean_cell(plan, found_S, SHARE),
                    (mean_text(ceiling_S, SHARE),),
                    EMPTY if times is None else (f"{times:.3g}",),
                    mean_cell(plan, one.measured("marginal_entropy"), SHARE),
                    mean_cell(plan, one.values("one_step", "agreed_entropy"), SHARE),
                    plain_cell(one.values("one_step", "information")),
                )
            )
            records.append(_agreement_record(plan, block, one, times))
        sections.append(tuple(rows))
    names = ("taught by", "agreement", "ceiling", "times", "marginal entropy", "agreed entropy", "I")
    return Table(
        label="text_agreement",
        title=f"One step that agrees with itself ({plan.study})",
        facts=text_facts(config, plan, AGREEMENT),
        columns=columns_of(*names),
        sections=tuple(sections),
        notes=(
            "For a model without mask noise agreement and ceiling are equal. The ceiling is of the model's "
            "own marginals: V^(1 - L) is the least that equal marginals can have, and a model that says "
            "fewer words passes it easily, which the entropies show.",
            "Couplings: sentences with the noise that a model made them from, and how often each is seen.",
        ),
        records=tuple(records),
    )


def _agreement_record(
    plan: ReportPlan, block: TextBlock, one: Trained, times: float | None
) -> dict[str, Any]:
    couplings = one.run.couplings
    return {
        **named(one),
        "taught_by": taught_by(block, one.run, one.world),
        "couplings": None if couplings is None else couplings.count,
        "epochs": None if couplings is None else _epochs(block, one),
        "updates": updates_of(block, one.run),
        **mean_record(plan, "agreement", one.measured("agreement"), unit=SHARE),
        "ceiling": or_none(one.values("one_step", "ceiling")),
        "times": times,
        **mean_record(plan, "marginal_entropy", one.measured("marginal_entropy"), unit=SHARE),
        **mean_record(plan, "agreed_entropy", one.values("one_step", "agreed_entropy"), unit=SHARE),
        "information": or_none(one.values("one_step", "information")),
    }


def _couplings(block: TextBlock, one: Trained) -> Lines:
    updates = f"{updates_of(block, one.run)} updates"
    if one.run.couplings is None:
        return taught_by(block, one.run, one.world), updates
    return taught_by(block, one.run, one.world), f"{updates}, each {_epochs(block, one):.3g} times"


def _epochs(block: TextBlock, one: Trained) -> float:
    assert one.run.couplings is not None
    return updates_of(block, one.run) * one.batch / one.run.couplings.count


def _geometric(values_S: Floats) -> float | None:
    kept = values_S[np.isfinite(values_S) & (values_S > 0)]
    return float(np.exp(np.log(kept).mean())) if kept.size == values_S.size else None
