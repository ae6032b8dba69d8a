"""The tables of block `text`: bounds, samples, orders and agreement of models of small languages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from xpflow.reporting.markup import EMPTY, Table
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
from xpflow.reporting.text_claims import judged_text, text_claims_table
from xpflow.reporting.text_kinds import taught_by
from xpflow.reporting.text_methods import agreement_table, orders_table
from xpflow.reporting.text_published import published_table
from xpflow.reporting.text_results import Trained, reported, updates_of
from xpflow.reporting.text_units import SHARE
from xpflow.study.config import StudyConfig
from xpflow.study.config.text import TextBlock
from xpflow.study.text_tables import agreement_worlds, learns_orders

BOUNDS = (
    "nats a token above the language's own -log p(x), means over seeds [{confidence:g} % t interval; a dash "
    "with one seed]. Excess = main + velocity. Order off: the same weights, every place as likely to be "
    "next. Zero-shot: excess on other domains of the world. Against the first run of the world: difference "
    "of excess, seeds as pairs. Forwards: of a batch, in an update and in the run"
)
SAMPLES = (
    "means over seeds [{confidence:g} % t interval]. Excess: -log p(x) of the valid samples by the oracle, "
    "less the language's entropy, in nats a token: below 0 the samples repeat what is likely. Words' "
    "entropy: of the samples' words, place unknown, in nats; in brackets that of the language. Invalid: "
    "percent that the language cannot say. Distinct: percent that differ from all before them"
)
ALIKE = "Where a world repeats one word, all that it can say is equally likely: only invalid counts there."


def text_tables(config: StudyConfig, plan: ReportPlan, trained: Sequence[Trained]) -> list[Table]:
    """Return the block's tables, in the order of `study.text_tables`."""
    worlds, found = reported(trained), list[Table]()
    found += [_bounds(config, plan, worlds), _samples(config, plan, worlds)]
    if learns_orders(config.text):
        found.append(orders_table(config, plan, worlds))
    if agreement_worlds(config.text):
        found.append(agreement_table(config, plan, worlds))
    found.append(published_table(config, plan, worlds, text_facts(config, plan)))
    claims = judged_text(config, plan, trained)
    return [*found, text_claims_table(plan, text_facts(config, plan), claims)]


def _bounds(config: StudyConfig, plan: ReportPlan, worlds: dict[str, list[Trained]]) -> Table:
    sections, records, block = [], [], config.text
    for runs in worlds.values():
        rows = []
        for one in runs:
            excess_S, off_S = one.bound("excess"), one.bound("excess", off=True)
            domains = {name: one.bound("excess", name) for name in one.domains}
            rows.append(
                (
                    *names_of(block, one),
                    (str(updates_of(block, one.run)), f"batch {one.batch}"),
                    tuple(f"{one.values('forwards', key)[0]:.0f}" for key in ("update", "run")),
                    plain_cell(one.values("parameters"), ",.0f"),
                    mean_cell(plan, excess_S),
                    mean_cell(plan, one.bound("main")),
                    mean_cell(plan, one.bound("velocity")),
                    mean_cell(plan, off_S),
                    tuple(f"{name}: {mean_text(values_S)}" for name, values_S in domains.items()) or EMPTY,
                    EMPTY if one is runs[0] else difference_cell(plan, excess_S, runs[0].bound("excess")),
                )
            )
            records.append(_bounds_record(plan, block, one, runs[0]))
        sections.append(tuple(rows))
    names = ("updates", "forwards", "parameters", "excess", "main", "velocity", "order off", "zero-shot")
    return Table(
        label="text_bounds",
        title=f"Bounds of models of small languages ({plan.study})",
        facts=text_facts(config, plan, BOUNDS),
        columns=columns_of(*names, "against the first"),
        sections=tuple(sections),
        notes=_notes(worlds),
        records=_even(records),
    )


def _bounds_record(plan: ReportPlan, block: TextBlock, one: Trained, first: Trained) -> dict[str, Any]:
    excess_S = one.bound("excess")
    against = None if one is first else first.bound("excess")
    return {
        **named(one),
        "taught_by": taught_by(block, one.run, one.world),
        "updates": updates_of(block, one.run),
        "batch_size": one.batch,
        "forwards_update": one.values("forwards", "update")[0],
        "forwards_run": one.values("forwards", "run")[0],
        "parameters": or_none(one.values("parameters")),
        **mean_record(plan, "excess", excess_S),
        **mean_record(plan, "main", one.bound("main")),
        **mean_record(plan, "velocity", one.bound("velocity")),
        **mean_record(plan, "order_off", one.bound("excess", off=True)),
        **mean_record(plan, "against_first", np.full(1, np.nan) if against is None else excess_S, against),
        **{f"zero-shot {name}": or_none(one.bound("excess", name)) for name in one.domains},
    }


def _samples(config: StudyConfig, plan: ReportPlan, worlds: dict[str, list[Trained]]) -> Table:
    sections, records = [], []
    for one in (one for runs in worlds.values() for one in runs):
        language = one.values("language", "unigram_entropy")
        rows = []
        for steps in config.text.steps:
            excess_S, words_S = (
                one.measured("sample_excess", steps=steps),
                one.sample(steps, "unigram_entropy"),
            )
            entropy = plain_cell(words_S)[0]
            rows.append(
                (
                    *names_of(config.text, one),
                    (str(steps),),
                    plain_cell(one.sample(steps, "nfe"), ".1f"),
                    mean_cell(plan, excess_S),
                    (f"{entropy} ({plain_cell(language)[0]})",),
                    mean_cell(plan, one.sample(steps, "invalid"), SHARE),
                    plain_cell(100 * one.sample(steps, "distinct"), ".1f"),
                )
            )
            records.append(
                {
                    **named(one),
                    "steps": steps,
                    "nfe": or_none(one.sample(steps, "nfe")),
                    **mean_record(plan, "excess", excess_S),
                    "unigram_entropy": or_none(words_S),
                    "language_unigram_entropy": or_none(language),
                    **mean_record(plan, "invalid", one.sample(steps, "invalid"), unit=SHARE),
                    "distinct": or_none(one.sample(steps, "distinct")),
                }
            )
        sections.append(tuple(rows))
    return Table(
        label="text_samples",
        title=f"Samples of models of small languages ({plan.study})",
        facts=text_facts(config, plan, SAMPLES),
        columns=columns_of("steps", "NFE", "excess", "words' entropy", "invalid", "distinct"),
        sections=tuple(sections),
        notes=(
            *([ALIKE] if agreement_worlds(config.text) else []),
            "An excess says nothing without the entropy beside it: a model that always says one likely "
            "sentence has a low one. Samples that the language cannot say have no likelihood and are counted "
            "apart.",
        ),
        records=tuple(records),
    )


def _notes(worlds: dict[str, list[Trained]]) -> tuple[str, ...]:
    firsts = "; ".join(f"{world}: {runs[0].label}" for world, runs in worlds.items())
    return (
        f"The first run of each world, with which the others are compared: {firsts}.",
        "Forwards of a run do not count those of the run that it starts from.",
    )


def _even(records: Sequence[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    """Give all records the columns that any of them has."""
    columns = list(dict.fromkeys(name for record in records for name in record))
    return tuple({name: record.get(name) for name in columns} for record in records)
