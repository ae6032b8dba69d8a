"""What alignment did, in numbers: the two criteria set before the study, and what they do not show.

Criteria: the squared error at unmasked positions falls at least tenfold, and the cross-entropy at masked
positions of the model's own answers changes by at most 2 %. What the last columns show can still get worse.
What a run did not log, or logged as no finite number, is a dash, and a note names it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from xpflow.artifacts.io import read_jsonl
from xpflow.errors import DataError
from xpflow.reporting.markup import EMPTY, Column, Lines, Table, number
from xpflow.reporting.report_spec import ReportPlan, weights_label
from xpflow.reporting.results import Outcomes
from xpflow.reporting.tables import facts
from xpflow.study.config import StudyConfig
from xpflow.study.layout import Layout
from xpflow.study.rows import trained_runs


def read_log(path: Path, required: Iterable[str], **labels: Any) -> pd.DataFrame:
    """Read one log of updates; `labels` become columns.

    Raises:
        DataError: it is empty, lacks a field, or an update is no whole number; names the file.
    """
    rows = read_jsonl(path)
    if not rows:
        raise DataError(f"{path} is empty", hint="delete it and run its stage again")
    missing = [name for name in required if name not in rows[0]]
    if missing:
        raise DataError(f"{path}: rows have no field {missing[0]!r}")
    log = pd.DataFrame(rows).assign(**labels)
    if not pd.api.types.is_integer_dtype(log["update"]):
        raise DataError(f"{path}: an update is no whole number", hint="delete it and run its stage again")
    return log


def finite(log: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    """Return a log whose named columns are there and hold numbers: NaN for whatever is no finite one."""
    columns = {name: log[name] if name in log else pd.Series(index=log.index, dtype=float) for name in names}
    numbers = {name: pd.to_numeric(values, errors="coerce") for name, values in columns.items()}
    return log.assign(**{name: one.replace([np.inf, -np.inf], np.nan) for name, one in numbers.items()})


FULL = Fraction(1)


def full_budget_rows(plan: ReportPlan, outcomes: Outcomes, log: pd.DataFrame) -> pd.DataFrame:
    """Return {model, variant, seed, update, pass_full} at the first and last update of every alignment.

    The pass rate is that of the baseline's decoder with all its steps, averaged over the benchmarks; variants
    that the study does not evaluate so have no rows.
    """
    rows = []
    for (model, variant, seed), run in log.groupby(["model", "variant", "seed"]):
        for weights, update in (("base", run["update"].min()), (variant, run["update"].max())):
            rates = [
                _rate(outcomes, str(model), benchmark, arm, int(seed))
                for benchmark in plan.benchmarks
                if (arm := _full_arm(plan, str(model), benchmark, str(weights))) is not None
            ]
            if rates:
                key = {"model": model, "variant": variant, "seed": seed, "update": update}
                rows.append({**key, "pass_full": sum(rates) / len(rates)})
    return pd.DataFrame(rows, columns=["model", "variant", "seed", "update", "pass_full"])


def _full_arm(plan: ReportPlan, model: str, benchmark: str, weights: str) -> str | None:
    """Return the first arm with these weights that decodes with the baseline's decoder and all its steps."""
    decoder = plan.arm(plan.baseline).decoder
    names = [arm.name for arm in plan.arms if (arm.decoder, arm.weights) == (decoder, weights)]
    first = [plan.baseline] if plan.baseline in names else []
    return next((one for one in [*first, *names] if plan.has(model, benchmark, one, FULL)), None)


def _rate(outcomes: Outcomes, model: str, benchmark: str, arm: str, seed: int) -> float:
    """Return the rate of one seed, or that of the only run of an arm that needs no seed."""
    seeds = outcomes.stats(model, benchmark, arm, FULL).seeds
    row = seeds.index(seed) if seed in seeds else 0
    return float(outcomes.passed(model, benchmark, arm, FULL)[row].mean())


FIELDS = (
    "mse_unmasked",
    "mse_masked",
    "ce_masked",
    "ce_masked_base",
    "acc_unmasked",
    "ce_heldout",
)
LEAST_FALL, MOST_CHANGE = 10.0, 0.02
COLUMNS = (
    Column("model"),
    Column("weights"),
    Column("squared error, unmasked", align="r"),
    Column("fall", align="r"),
    Column("accuracy, unmasked", align="r"),
    Column("CE, masked, own answers", align="r"),
    Column("change", align="r"),
    Column("CE, held-out answers", align="r"),
    Column("full-budget pass rate", align="r"),
)


def read_alignment(config: StudyConfig, results: Path) -> pd.DataFrame:
    """Read the alignment logs of a study into one table: columns model, variant, seed, update and FIELDS.

    An objective logs what it likes: a field of FIELDS that a log lacks is NaN, as is what is not finite.
    """
    layout = Layout(results, results)
    logs = []
    for model, variant, seed in trained_runs(config):
        path = layout.run_log(model, variant, seed)
        logs.append(read_log(path, ("update",), model=model, variant=variant, seed=seed))
    columns = ["model", "variant", "seed", "update"]
    log = pd.concat(logs, ignore_index=True) if logs else pd.DataFrame(columns=columns)
    return finite(log, FIELDS)


def alignment_table(plan: ReportPlan, log: pd.DataFrame) -> Table:
    """Return a row per model and variant: means over seeds, before and after alignment."""
    records = [
        _record(str(model), str(variant), runs)
        for (model, variant), runs in log.groupby(["model", "variant"])
    ]
    order = [model.name for model in plan.models]
    records.sort(key=lambda record: (order.index(record["model"]), record["variant"]))
    return Table(
        label="alignment",
        title=f"Alignment ({plan.study}): before and after",
        facts=facts(plan, reading=False),
        columns=COLUMNS,
        sections=(tuple(_row(record) for record in records),),
        notes=(
            *_absent(records),
            f"Criteria: fall at least {LEAST_FALL:g}-fold; change at most {100 * MOST_CHANGE:g} %. "
            "Means over seeds, worst seed for the criteria.",
            f"Full-budget pass rate: {plan.arm(plan.baseline).title} with all its steps, mean over the "
            "benchmarks.",
        ),
        records=tuple(records),
    )


def _record(model: str, variant: str, runs: pd.DataFrame) -> dict[str, Any]:
    first = runs[runs["update"] == runs["update"].min()].groupby("seed").mean(numeric_only=True)
    last = runs[runs["update"] == runs["update"].max()].groupby("seed").mean(numeric_only=True)
    falls = first["mse_unmasked"] / last["mse_unmasked"]
    changes = last["ce_masked"] / last["ce_masked_base"] - 1
    fall = None if falls.isna().any() else float(falls.min())
    worst = None if changes.isna().any() else float(changes.loc[changes.abs().idxmax()])
    return {
        "model": model,
        "variant": variant,
        "seeds": len(last),
        "mse_unmasked_before": _mean(first, "mse_unmasked"),
        "mse_unmasked_after": _mean(last, "mse_unmasked"),
        "fall": fall,
        "fall_met": None if fall is None else fall >= LEAST_FALL,
        "acc_unmasked_before": _mean(first, "acc_unmasked"),
        "acc_unmasked_after": _mean(last, "acc_unmasked"),
        "ce_masked_before": _mean(last, "ce_masked_base"),
        "ce_masked_after": _mean(last, "ce_masked"),
        "ce_change": worst,
        "ce_change_met": None if worst is None else abs(worst) <= MOST_CHANGE,
        "ce_heldout_before": _mean(first, "ce_heldout"),
        "ce_heldout_after": _mean(last, "ce_heldout"),
        "pass_full_before": _mean(first, "pass_full"),
        "pass_full_after": _mean(last, "pass_full"),
    }


def _mean(rows: pd.DataFrame, field: str) -> float | None:
    """Return the mean over seeds; None unless every seed has the field."""
    known = field in rows and bool(rows[field].notna().all())
    return float(rows[field].mean()) if known else None


def _absent(records: list[dict[str, Any]]) -> list[str]:
    """Return a sentence for each run that has dashes for want of logged numbers."""
    notes = []
    for record in records:
        missing = [
            label for label, before, after in LOGGED if record[before] is None or record[after] is None
        ]
        if missing:
            run = f"{record['model']}, {record['variant']}"
            notes.append(
                f"{run}: the log has no number, at its first and last update, for {', '.join(missing)}."
            )
    return notes


LOGGED = (
    ("the squared error", "mse_unmasked_before", "mse_unmasked_after"),
    ("the accuracy", "acc_unmasked_before", "acc_unmasked_after"),
    ("the cross-entropy of own answers", "ce_masked_before", "ce_masked_after"),
    ("the cross-entropy of held-out answers", "ce_heldout_before", "ce_heldout_after"),
)


def _change(record: Mapping[str, Any], field: str, form: str, factor: float = 1.0, unit: str = "") -> Lines:
    """Return a number before and after; a dash where one is not known."""
    before, after = record[f"{field}_before"], record[f"{field}_after"]
    if before is None and after is None:
        return EMPTY
    texts = (EMPTY[0] if value is None else format(factor * value, form) for value in (before, after))
    return (" → ".join(texts) + unit,)


def _row(record: Mapping[str, Any]) -> tuple[Lines, ...]:
    met = {True: "met", False: "not met"}
    fall, change = record["fall"], record["ce_change"]
    return (
        (record["model"],),
        (weights_label(record["variant"]),),
        _change(record, "mse_unmasked", ".3g"),
        EMPTY if fall is None else (f"{fall:.1f}-fold", met[record["fall_met"]]),
        _change(record, "acc_unmasked", ".4f"),
        _change(record, "ce_masked", ".4f"),
        EMPTY if change is None else (f"{number(100 * change)} %", met[record["ce_change_met"]]),
        _change(record, "ce_heldout", ".4f"),
        _change(record, "pass_full", ".1f", 100, " %"),
    )
