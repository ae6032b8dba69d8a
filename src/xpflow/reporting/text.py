"""The tables of block `text`: bounds, samples, orders and agreement of models of small languages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from xpflow.images.inside import container_note
from xpflow.reporting.markup import EMPTY, Column, Lines, Table
from xpflow.reporting.report_spec import ReportPlan
from xpflow.reporting.text_cells import difference_cell, mean_cell, mean_record, plain_cell
from xpflow.reporting.text_claims import judged_text, text_claims_table
from xpflow.reporting.text_kinds import learned_order, taught_by
from xpflow.reporting.text_published import published_table
from xpflow.reporting.text_results import Trained, reported, updates_of
from xpflow.reporting.text_units import NATS, SHARE, value_text
from xpflow.stats.seeds import Floats
from xpflow.study.config import StudyConfig
from xpflow.study.config.text import TextBlock
from xpflow.study.text_tables import agreement_worlds, learns_orders

BEWARE = (
    "models of small languages, trained from nothing here; nothing in this table reproduces a number of a "
    "paper, whose models and texts are far larger"
)
BOUNDS = (
    "nats a token above the language's own -log p(x), means over seeds [{confidence:g} % t interval; a dash "
    "with one seed]. Excess = main + velocity. Order off: the same weights, every place as likely to be "
    "next. Zero-shot: excess on other domains of the world. Against the first run of the world: difference of "
    "excess, seeds as pairs. Forwards: of a batch, in an update and in the run"
)
SAMPLES = (
    "means over seeds [{confidence:g} % t interval]. Excess: -log p(x) of the valid samples by the oracle, "
    "less the language's entropy, in nats a token: below 0 the samples repeat what is likely. Words' entropy: "
    "of the samples' words, place unknown, in nats; in brackets that of the language. Invalid: percent that "
    "the language cannot say. Distinct: percent that differ from all before them"
)
ORDERS = (
    "means over seeds [{confidence:g} % t interval]. Order's entropy: percent of log L!, which is the uniform "
    "order's. Spread: largest over smallest power of a sentence. First: percent that decide the first place "
    "first. Correlation: of a place's rate with the probability of its word, and of power with it within one "
    "state. Order off: what the excess rises by, in nats a token, without the order. Exact: L_velocity that "
    "the order costs an exact denoiser"
)
AGREEMENT = (
    "percent, means over seeds [{confidence:g} % t interval]. Agreement: one step puts one word everywhere, "
    "exact but for the noise drawn. Ceiling: the most that the model's own marginals allow without noise in "
    "common. Times: agreement over ceiling, geometric mean. Entropies in percent of log V: of a place, and of "
    "the word agreed on. I: between noise and a place's word, in nats"
)


def text_tables(config: StudyConfig, plan: ReportPlan, trained: Sequence[Trained]) -> list[Table]:
    """Return the block's tables, in the order of `study.text_tables`."""
    worlds, found = reported(trained), list[Table]()
    found += [_bounds(config, plan, worlds), _samples(config, plan, worlds)]
    if learns_orders(config.text):
        found.append(_orders(config, plan, worlds))
    if agreement_worlds(config.text):
        found.append(_agreement(config, plan, worlds))
    found.append(published_table(config, plan, worlds, text_facts(config, plan)))
    claims = judged_text(config, plan, trained)
    return [*found, text_claims_table(plan, text_facts(config, plan), claims)]


def text_facts(config: StudyConfig, plan: ReportPlan, told: str = "") -> tuple[tuple[str, str], ...]:
    """Return what stands above a table of the block."""
    block = config.text
    note = container_note()
    return (
        ("Study", f"{plan.study}, {plan.title}" if plan.title else plan.study),
        ("Seeds", ", ".join(map(str, config.study.seeds))),
        ("Models", f"{block.layers} blocks of width {block.width}, {block.heads} heads"),
        *([("Cells", told.format(confidence=100 * plan.confidence))] if told else []),
        *([("Container", note)] if note else []),
        ("Beware", BEWARE),
    )


def _bounds(config: StudyConfig, plan: ReportPlan, worlds: dict[str, list[Trained]]) -> Table:
    sections, records, block = [], [], config.text
    for runs in worlds.values():
        rows = []
        for one in runs:
            excess_S, off_S = one.bound("excess"), one.bound("excess", off=True)
            domains = {name: one.bound("excess", name) for name in one.domains}
            rows.append(
                (
                    *_names(block, one),
                    (str(updates_of(block, one.run)), f"batch {one.batch}"),
                    tuple(f"{one.values('forwards', key)[0]:.0f}" for key in ("update", "run")),
                    plain_cell(one.values("parameters"), ",.0f"),
                    mean_cell(plan, excess_S),
                    mean_cell(plan, one.bound("main")),
                    mean_cell(plan, one.bound("velocity")),
                    mean_cell(plan, off_S),
                    tuple(f"{name}: {_mean_text(values_S)}" for name, values_S in domains.items()) or EMPTY,
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
        columns=_columns(*names, "against the first"),
        sections=tuple(sections),
        notes=_notes(worlds),
        records=_even(records),
    )


def _bounds_record(plan: ReportPlan, block: TextBlock, one: Trained, first: Trained) -> dict[str, Any]:
    excess_S = one.bound("excess")
    against = None if one is first else first.bound("excess")
    return {
        **_named(one),
        "taught_by": taught_by(block, one.run, one.world),
        "updates": updates_of(block, one.run),
        "batch_size": one.batch,
        "forwards_update": one.values("forwards", "update")[0],
        "forwards_run": one.values("forwards", "run")[0],
        "parameters": _or_none(one.values("parameters")),
        **mean_record(plan, "excess", excess_S),
        **mean_record(plan, "main", one.bound("main")),
        **mean_record(plan, "velocity", one.bound("velocity")),
        **mean_record(plan, "order_off", one.bound("excess", off=True)),
        **mean_record(plan, "against_first", np.full(1, np.nan) if against is None else excess_S, against),
        **{f"zero-shot {name}": _or_none(one.bound("excess", name)) for name in one.domains},
    }


def _samples(config: StudyConfig, plan: ReportPlan, worlds: dict[str, list[Trained]]) -> Table:
    sections, records = [], []
    for one in (one for runs in worlds.values() for one in runs):
        language = one.values("language", "unigram_entropy")
        rows = []
        for steps in config.text.steps:
            excess_S, words_S = one.measured("sample_excess", steps=steps), one.sample(steps, "unigram_entropy")
            entropy = plain_cell(words_S)[0]
            rows.append(
                (
                    *_names(config.text, one),
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
                    **_named(one),
                    "steps": steps,
                    "nfe": _or_none(one.sample(steps, "nfe")),
                    **mean_record(plan, "excess", excess_S),
                    "unigram_entropy": _or_none(words_S),
                    "language_unigram_entropy": _or_none(language),
                    **mean_record(plan, "invalid", one.sample(steps, "invalid")),
                    "distinct": _or_none(one.sample(steps, "distinct")),
                }
            )
        sections.append(tuple(rows))
    return Table(
        label="text_samples",
        title=f"Samples of models of small languages ({plan.study})",
        facts=text_facts(config, plan, SAMPLES),
        columns=_columns("steps", "NFE", "excess", "words' entropy", "invalid", "distinct"),
        sections=tuple(sections),
        notes=(
            "An excess says nothing without the entropy beside it: a model that always says one likely "
            "sentence has a low one. Samples that the language cannot say have no likelihood and are counted "
            "apart.",
        ),
        records=tuple(records),
    )


def _orders(config: StudyConfig, plan: ReportPlan, worlds: dict[str, list[Trained]]) -> Table:
    rows, records = [], []
    for one in (one for runs in worlds.values() for one in runs if learned_order(config.text, one)):
        entropy_S, first_S = one.measured("order_entropy"), one.measured("first_is_first")
        off_S, on_S = one.bound("excess", off=True), one.bound("excess")
        correlation, within = one.values("orders", "correlation"), one.values("orders", "within")
        exact_S = one.nats("oracle", "velocity")
        rows.append(
            (
                *_names(config.text, one),
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
                **_named(one),
                **mean_record(plan, "order_entropy", entropy_S),
                "spread": _or_none(one.values("orders", "spread")),
                **mean_record(plan, "first_is_first", first_S),
                "correlation": _or_none(correlation),
                "within": _or_none(within),
                **mean_record(plan, "order_off_less_on", off_S, on_S),
                **mean_record(plan, "exact_velocity", exact_S),
            }
        )
    names = ("order's entropy", "spread", "first", "correlation, within", "order off", "exact velocity")
    return Table(
        label="text_orders",
        title=f"Orders that are learned ({plan.study})",
        facts=text_facts(config, plan, ORDERS),
        columns=_columns(*names),
        sections=(tuple(rows),),
        notes=(
            "The paper's powers sum to c1 L, so that its order's entropy lies between 0 and log L! by "
            "construction: no collapse of it is evidence of nothing (docs/masking.md).",
        ),
        records=tuple(records),
    )


def _agreement(config: StudyConfig, plan: ReportPlan, worlds: dict[str, list[Trained]]) -> Table:
    block, sections, records = config.text, [], []
    for world in agreement_worlds(block):
        rows = []
        for one in worlds.get(world, []):
            found_S, ceiling_S = one.measured("agreement"), one.values("one_step", "ceiling")
            times = _geometric(found_S / ceiling_S)
            rows.append(
                (
                    *_names(block, one),
                    _couplings(block, one),
                    mean_cell(plan, found_S, SHARE),
                    (_mean_text(ceiling_S, SHARE),),
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
        columns=_columns(*names),
        sections=tuple(sections),
        notes=(
            "For a model without mask noise agreement and ceiling are equal. The ceiling is of the model's own "
            "marginals: V^(1 - L) is the least that equal marginals can have, and a model that says fewer "
            "words passes it easily, which the entropies show.",
            "Couplings: sentences with the noise that a model made them from, and how often each is seen.",
        ),
        records=tuple(records),
    )


def _agreement_record(
    plan: ReportPlan, block: TextBlock, one: Trained, times: float | None
) -> dict[str, Any]:
    couplings = one.run.couplings
    return {
        **_named(one),
        "taught_by": taught_by(block, one.run, one.world),
        "couplings": None if couplings is None else couplings.count,
        "epochs": None if couplings is None else _epochs(block, one),
        "updates": updates_of(block, one.run),
        **mean_record(plan, "agreement", one.measured("agreement")),
        "ceiling": _or_none(one.values("one_step", "ceiling")),
        "times": times,
        **mean_record(plan, "marginal_entropy", one.measured("marginal_entropy")),
        **mean_record(plan, "agreed_entropy", one.values("one_step", "agreed_entropy")),
        "information": _or_none(one.values("one_step", "information")),
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


def _names(block: TextBlock, one: Trained) -> tuple[Lines, Lines]:
    start = next((run for run in block.runs if run.name == one.run.start), None)
    return (one.world,), (one.label,) if start is None else (one.label, f"from {start.label or start.name}")


def _named(one: Trained) -> dict[str, Any]:
    return {"world": one.world, "run": one.run.name, "label": one.label, "seeds": len(one.seeds)}


def _columns(*numbers: str) -> tuple[Column, ...]:
    return Column("world"), Column("run"), *(Column(name, "", "r") for name in numbers)


def _mean_text(values_S: Floats, unit: str = NATS) -> str:
    kept = values_S[np.isfinite(values_S)]
    return value_text(float(kept.mean()), unit) if kept.size else EMPTY[0]


def _or_none(values_S: Floats) -> float | None:
    kept = values_S[np.isfinite(values_S)]
    return float(kept.mean()) if kept.size else None


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
