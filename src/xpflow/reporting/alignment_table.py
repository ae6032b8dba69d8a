"""What alignment did, in numbers: the two criteria set before the study, and what they do not show.

Criteria: the squared error at unmasked positions falls at least tenfold, and the cross-entropy at masked
positions of the model's own answers changes by at most 2 %. What the last columns show can still get worse.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

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
    """Read one log; `labels` become columns. DataError names the file and the first missing field."""
    rows = read_jsonl(path)
    if not rows:
        raise DataError(f"{path} is empty", hint="delete it and run its stage again")
    missing = [name for name in required if name not in rows[0]]
    if missing:
        raise DataError(f"{path}: rows have no field {missing[0]!r}")
    return pd.DataFrame(rows).assign(**labels)


FULL = Fraction(1)


def full_budget_rows(plan: ReportPlan, outcomes: Outcomes, log: pd.DataFrame) -> pd.DataFrame:
    """Return {model, variant, seed, update, pass_full} at the first and last update of every alignment.

    The pass rate is that of the baseline's decoder with all its steps, averaged over the benchmarks; variants
    that the study does not evaluate so have no rows.
    """
    rows = []
    decoder = plan.arm(plan.baseline).decoder
    arms = {arm.weights: arm.name for arm in plan.arms if arm.decoder == decoder}
    for (model, variant, seed), run in log.groupby(["model", "variant", "seed"]):
        for weights, update in (("base", run["update"].min()), (variant, run["update"].max())):
            arm = plan.baseline if weights == "base" else arms.get(weights, "")
            rates = [
                _rate(outcomes, model, benchmark, arm, int(seed))
                for benchmark in plan.benchmarks
                if plan.has(model, benchmark, arm, FULL)
            ]
            if rates:
                key = {"model": model, "variant": variant, "seed": seed, "update": update}
                rows.append({**key, "pass_full": sum(rates) / len(rates)})
    return pd.DataFrame(rows)


def _rate(outcomes: Outcomes, model: str, benchmark: str, arm: str, seed: int) -> float:
    """Return the rate of one seed, or that of the only run of an arm that needs no seed."""
    seeds = outcomes.stats(model, benchmark, arm, FULL).seeds
    row = seeds.index(seed) if seed in seeds else 0
    return float(outcomes.passed(model, benchmark, arm, FULL)[row].mean())


FIELDS = (
    "update",
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
    """Read the alignment logs of a study into one table, with columns model, variant and seed."""
    logs = [
        read_log(
            Layout(results, results).run_log(model, variant, seed),
            FIELDS,
            model=model,
            variant=variant,
            seed=seed,
        )
        for model, variant, seed in trained_runs(config)
    ]
    return pd.concat(logs, ignore_index=True)


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
    worst = float(changes.loc[changes.abs().idxmax()])
    return {
        "model": model,
        "variant": variant,
        "seeds": len(last),
        "mse_unmasked_before": float(first["mse_unmasked"].mean()),
        "mse_unmasked_after": float(last["mse_unmasked"].mean()),
        "fall": float(falls.min()),
        "fall_met": bool(falls.min() >= LEAST_FALL),
        "acc_unmasked_before": float(first["acc_unmasked"].mean()),
        "acc_unmasked_after": float(last["acc_unmasked"].mean()),
        "ce_masked_before": float(last["ce_masked_base"].mean()),
        "ce_masked_after": float(last["ce_masked"].mean()),
        "ce_change": worst,
        "ce_change_met": bool(abs(worst) <= MOST_CHANGE),
        "ce_heldout_before": float(first["ce_heldout"].mean()),
        "ce_heldout_after": float(last["ce_heldout"].mean()),
        "pass_full_before": _mean(first, "pass_full"),
        "pass_full_after": _mean(last, "pass_full"),
    }


def _mean(rows: pd.DataFrame, field: str) -> float | None:
    known = field in rows and bool(rows[field].notna().any())
    return float(rows[field].mean()) if known else None


def _row(record: Mapping[str, Any]) -> tuple[Lines, ...]:
    met = {True: "met", False: "not met"}
    return (
        (record["model"],),
        (weights_label(record["variant"]),),
        (f"{record['mse_unmasked_before']:.3g} → {record['mse_unmasked_after']:.3g}",),
        (f"{record['fall']:.1f}-fold", met[record["fall_met"]]),
        (f"{record['acc_unmasked_before']:.4f} → {record['acc_unmasked_after']:.4f}",),
        (f"{record['ce_masked_before']:.4f} → {record['ce_masked_after']:.4f}",),
        (f"{number(100 * record['ce_change'])} %", met[record["ce_change_met"]]),
        (f"{record['ce_heldout_before']:.4f} → {record['ce_heldout_after']:.4f}",),
        EMPTY
        if record["pass_full_after"] is None
        else (f"{100 * record['pass_full_before']:.1f} → {100 * record['pass_full_after']:.1f} %",),
    )
