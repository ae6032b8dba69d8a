"""A study of summaries: what the judge measured stands in a table, a row for each cell."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from xpflow.artifacts.io import write_jsonl
from xpflow.grading.grade import judged
from xpflow.problems import microsum
from xpflow.reporting.from_config import plan_from_config
from xpflow.reporting.produce import produce_tables
from xpflow.study.config import study_from_mapping
from xpflow.study.layout import SAMPLES, VERDICTS, Layout
from xpflow.study.stages import table_files


def test_the_measures_of_a_study_of_summaries_are_tabulated(tmp_path: Path) -> None:
    config = study_from_mapping(
        {
            "study": {"name": "said", "seeds": [0]},
            "problems": {"benchmarks": [{"name": "microsum", "limit": 6, "gen_length": 64}]},
            "models": [{"name": "llada-micro", "training": "full"}],
            "evaluation": {
                "budgets": ["1/4"],
                "arms": [{"name": name, "decoder": "mask_prediction"} for name in ("mask", "flow")],
            },
            "reporting": {"bootstrap_samples": 300, "baseline_arm": "mask", "flow_arm": "flow"},
        }
    )
    results, problems = tmp_path / "results/said", microsum.load("test")[:6]
    for row in plan_from_config(config).rows:
        texts = [one.canonical_solution if row.arm == "mask" else "and and and and" for one in problems]
        verdicts = [judged(*pair).to_row() for pair in zip(problems, texts, strict=True)]
        folder = Layout.of_results(results).row(row)
        write_jsonl(folder / VERDICTS, verdicts)
        samples = [
            {"task_id": p.task_id, "completion": t, "nfe": 8, "tokens": []}
            for p, t in zip(problems, texts, strict=True)
        ]
        write_jsonl(folder / SAMPLES, samples)
    out = tmp_path / "paper_figures/said"
    assert set(produce_tables(config, results, out)) == set(table_files(config, Layout(results, out)))
    lines = (line for line in (out / "measures.csv").read_text().split("\n") if not line.startswith("# "))
    mask, flow = csv.DictReader(lines)
    assert [(float(row["right"]), float(row["facts"]), float(row["degenerate"])) for row in (mask, flow)] == [
        (1, 1, 0),
        (0, 0, 1),
    ]
    assert float(mask["rougeL"]) == pytest.approx(1)
    assert float(flow["words"]) == 4
    text = (out / "measures.md").read_text()
    assert "interval over problems" in text
    assert "100.0 [" in text
