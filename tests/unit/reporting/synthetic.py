"""A made-up study on disk: verdicts drawn with given pass rates, for tests of the reports."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np

from xpflow.reporting.from_config import plan_from_config
from xpflow.reporting.report_spec import ReportPlan
from xpflow.study.config import StudyConfig, study_from_mapping
from xpflow.study.layout import SAMPLES, VERDICTS, Layout
from xpflow.study.rows import Row, expand, trained_runs

# arm -> pass rate and executed NFE by budget; the rest of the budgets are interpolated from 1/4
RATES = {
    "mask-base": {"1/8": (0.08, 4), "1/4": (0.25, 8), "1/2": (0.5, 16), "1/1": (0.75, 32)},
    "flow-shipped": {"1/8": (0.3, 4), "1/4": (0.55, 8), "1/2": (0.56, 15), "1/1": (0.56, 29)},
    "mask-paper": {"1/4": (0.3, 8), "1/1": (0.6, 32)},
    "flow-no-commit": {"1/4": (0.5, 8)},
    "flow-no-reedit": {"1/4": (0.4, 8)},
    "flow-no-alignment": {"1/4": (0.1, 8)},
    "threshold-matched-base": {"1/1": (0.6, 8.1)},
}


def config(name: str = "synthetic", seeds: tuple[int, ...] = (0, 1, 2)) -> StudyConfig:
    """Return the default study cut down to the arms of RATES."""
    arms = [arm.model_dump(mode="json") for arm in StudyConfig().evaluation.arms if arm.name in RATES]
    return study_from_mapping(
        {
            "study": {"name": name, "title": "made-up numbers", "seeds": list(seeds)},
            "evaluation": {"arms": arms},
            "reporting": {"bootstrap_samples": 300},
        }
    )


def plan(name: str = "synthetic", seeds: tuple[int, ...] = (0, 1, 2)) -> ReportPlan:
    """Return the report plan of `config`."""
    return plan_from_config(config(name, seeds))


def small(folder: Path, problems: int = 3, seeds: tuple[int, ...] = (0,)) -> StudyConfig:
    """Write a study of one model, two arms and one budget."""
    whole = config(seeds=seeds).model_dump(mode="json")
    arms = [
        {**arm, "weights": "base", "budgets": ["1/4"], "seeds": "all"}
        for arm in whole["evaluation"]["arms"]
        if arm["name"] in ("mask-base", "flow-shipped")
    ]
    found = study_from_mapping(
        {
            "study": {**whole["study"], "preregistration": []},
            "models": whole["models"][:1],
            "evaluation": {"arms": arms},
            "reporting": {"bootstrap_samples": 300},
        }
    )
    write_results(folder, tuple(expand(found)), problems)
    return found


def write_results(results: Path, rows: tuple[Row, ...], problems: int = 60) -> None:
    """Write samples and verdicts of every row; problems share their difficulty over all rows."""
    for row in rows:
        rate, nfe = RATES[row.arm][f"{row.budget.numerator}/{row.budget.denominator}"]
        key = "/".join(map(str, (row.model, row.benchmark, row.arm, row.budget, row.seed)))
        own = np.random.default_rng(zlib.crc32(key.encode()))
        shared = np.random.default_rng(zlib.crc32(f"{row.model}/{row.benchmark}".encode()))
        level = 0.7 * shared.uniform(size=problems) + 0.3 * own.uniform(size=problems)
        passed = level < np.quantile(level, min(1.0, max(0.0, rate + own.normal(0, 0.02))))
        tasks = [f"{row.benchmark}/{number}" for number in range(problems)]
        _write(
            Layout.of_results(results).row(row) / VERDICTS,
            [
                {"task_id": task, "verdict": "passed" if ok else "wrong", "reason": ""}
                for task, ok in zip(tasks, passed, strict=True)
            ],
        )
        _write(
            Layout.of_results(results).row(row) / SAMPLES,
            [{"task_id": task, "completion": "    pass\n", "nfe": nfe} for task in tasks],
        )


def write_alignment(results: Path, config: StudyConfig, updates: int = 20) -> None:
    """Write alignment logs: errors fall, the cross-entropy of the paper's loss drifts by 5 %."""
    for model, variant, seed in trained_runs(config):
        drift = 0.05 if variant == "paper" else 0.01
        rows = [
            {
                "update": update,
                "seed": seed,
                "variant": variant,
                "mse_unmasked": 30.0 / (1 + update),
                "mse_masked": 12.0,
                "ce_masked": 0.2 * (1 - drift * update / updates) + 1e-4 * seed,
                "ce_masked_base": 0.2,
                "acc_unmasked": 1.0 if update == updates else 0.9,
                "ce_heldout": 0.3 + drift * update / updates,
            }
            for update in range(0, updates + 1, 5)
        ]
        _write(results / model / "runs" / variant / f"seed{seed}" / "log.jsonl", rows)


def _write(path: Path, rows: list[dict[str, object]]) -> None:
    """Write rows without the fsync of the real writer: some hundred files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
