"""Cells of the tables of block `text`: means over seeds with their intervals, dashes where there is none."""

from __future__ import annotations

from typing import Any

import numpy as np

from xpflow.images.inside import container_note
from xpflow.reporting.markup import EMPTY, Column, Lines
from xpflow.reporting.report_spec import ReportPlan
from xpflow.reporting.text_results import Trained
from xpflow.reporting.text_units import NATS, interval_text, possible, value_text
from xpflow.stats.seeds import Floats, SeedMean, over_seeds
from xpflow.study.config import StudyConfig
from xpflow.study.config.text import TextBlock

BEWARE = (
    "models of small languages, trained from nothing here; nothing in this table reproduces a number of a "
    "paper, whose models and texts are far larger"
)


def seed_mean(plan: ReportPlan, a_S: Floats, b_S: Floats | None = None, unit: str = NATS) -> SeedMean | None:
    """Return a mean over the seeds that have a number; None where none has."""
    kept_S = np.isfinite(a_S) if b_S is None else np.isfinite(a_S) & np.isfinite(b_S)
    if not kept_S.any():
        return None
    sides = a_S[kept_S], None if b_S is None else b_S[kept_S]
    return over_seeds(*sides, confidence=plan.confidence, possible=possible(unit, signed=b_S is not None))


def mean_cell(plan: ReportPlan, values_S: Floats, unit: str = NATS) -> Lines:
    """Return a mean and its interval below; says where a seed has no number."""
    found = seed_mean(plan, values_S, unit=unit)
    if found is None:
        return EMPTY
    few = "" if found.n_seeds == len(values_S) else f" ({found.n_seeds} of {len(values_S)} seeds)"
    return value_text(found.value, unit), interval_text(found.interval, unit) + few


def difference_cell(plan: ReportPlan, a_S: Floats, b_S: Floats, unit: str = NATS) -> Lines:
    """Return the difference a minus b with seeds as pairs, its interval, and p."""
    found = seed_mean(plan, a_S, b_S, unit)
    if found is None:
        return EMPTY
    told = f"{value_text(found.value, unit, '+')} {interval_text(found.interval, unit, '+')}"
    return (told,) if found.interval is None else (told, f"p {found.p_value:.2g}")


def plain_cell(values_S: Floats, form: str = ".3f") -> Lines:
    """Return a mean without an interval."""
    kept = values_S[np.isfinite(values_S)]
    return (format(float(kept.mean()), form).replace("-", "−"),) if kept.size else EMPTY


def mean_record(
    plan: ReportPlan, name: str, a_S: Floats, b_S: Floats | None = None, unit: str = NATS
) -> dict[str, float | None]:
    """Return a mean and its interval's ends for the CSV, in the values' own unit."""
    found = seed_mean(plan, a_S, b_S, unit)
    interval = None if found is None else found.interval
    return {
        name: None if found is None else found.value,
        f"{name}_low": None if interval is None else interval.low,
        f"{name}_high": None if interval is None else interval.high,
    }


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


def names_of(block: TextBlock, one: Trained) -> tuple[Lines, Lines]:
    """Return the cells of world and run, and what the run starts from."""
    start = next((run for run in block.runs if run.name == one.run.start), None)
    return (one.world,), (one.label,) if start is None else (one.label, f"from {start.label or start.name}")


def named(one: Trained) -> dict[str, Any]:
    """Return which run a record is of."""
    return {"world": one.world, "run": one.run.name, "label": one.label, "seeds": len(one.seeds)}


def columns_of(*numbers: str) -> tuple[Column, ...]:
    """Return the columns of a table of runs."""
    return Column("world"), Column("run"), *(Column(name, "", "r") for name in numbers)


def mean_text(values_S: Floats, unit: str = NATS) -> str:
    """Return a mean as text, a dash where no seed has a number."""
    kept = values_S[np.isfinite(values_S)]
    return value_text(float(kept.mean()), unit) if kept.size else EMPTY[0]


def or_none(values_S: Floats) -> float | None:
    """Return a mean, None where no seed has a number."""
    kept = values_S[np.isfinite(values_S)]
    return float(kept.mean()) if kept.size else None
