"""The smoke study for real: every stage; then nothing to do; then what a changed setting runs again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from xpflow.study.config import load_study
from xpflow.study.layout import Layout
from xpflow.study.rows import expand

SMOKE = Path(__file__).parents[2] / "config" / "smoke.yaml"

pytestmark = pytest.mark.slow


def changed(finished: Any, tmp_path: Path, changes: dict[str, Any]) -> str:
    """Return what a dry run says with a setting changed; blocks are merged one level deep."""
    study = yaml.safe_load(SMOKE.read_text())
    for block, values in changes.items():
        study[block] = {**study.get(block, {}), **values}
    (tmp_path / "changed.yaml").write_text(yaml.safe_dump(study))
    output: str = finished.run("--dry-run", config=tmp_path / "changed.yaml").stdout
    return output


def test_every_row_of_the_study_has_samples_and_verdicts(finished: Any) -> None:
    study = load_study(SMOKE)
    for row in expand(study):
        folder = Layout.of("smoke", finished.folder).row(row)
        samples = [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]
        verdicts = [json.loads(line) for line in (folder / "verdicts.jsonl").read_text().splitlines()]
        assert len(samples) == 4
        assert [one["task_id"] for one in samples] == [one["task_id"] for one in verdicts]
        assert {(one["arm"], one["seed"]) for one in samples} == {(row.arm, row.seed)}
        assert {"completion", "nfe", "model", "benchmark", "budget"} <= samples[0].keys()
        assert {one["protocol"] for one in (*samples, *verdicts)} == {"micropy@1"}


def test_tables_figures_logs_and_times_are_there(finished: Any) -> None:
    shown = finished.figures("smoke")
    assert {"table1.md", "table2.tex", "contrasts.csv", "claims.json", "prompts.md"} <= shown.keys()
    assert {"figure_2a.png", "figure_2b.png", "sweep_budget.png", "trace.png", "grpo.png"} <= shown.keys()
    assert (finished.folder / "paper_figures" / "smoke" / "report.html").is_file()
    results = finished.folder / "results" / "smoke"
    assert load_study(results / "study.yaml") == load_study(SMOKE)
    assert (results / "logs" / "train").is_dir()
    assert (results / "benchmarks" / "train").is_dir()
    assert not [path for path in (results / "llada-micro" / "parts").rglob("*") if path.is_file()]


def test_no_stage_ran_code_that_its_fingerprint_does_not_cover(
    finished: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never less than what ran: the modules that each process loaded, against those behind its manifest."""
    monkeypatch.chdir(finished.folder)
    found = finished.uncovered()
    assert not {command: modules for command, modules in found.items() if modules}
    smoke = {"config", "problems", "selfdata", "train", "solvable", "grpo", "evaluate", "grade", "merge"}
    assert found.keys() == smoke | {"trace", "prompts", "tables", "figures", "report"}


def test_a_second_run_does_nothing(finished: Any) -> None:
    before = finished.figures("smoke")
    done = finished.run()
    assert done.returncode == 0
    assert "Nothing to be done" in done.stdout
    assert finished.figures("smoke") == before


def test_how_the_machine_is_used_is_no_reason_to_run_again(finished: Any, tmp_path: Path) -> None:
    output = changed(finished, tmp_path, {"runtime": {"shards": 3, "threads": 2}, "grading": {"workers": 1}})
    assert "Nothing to be done" in output


def test_a_changed_setting_runs_again_what_depends_on_it(finished: Any, tmp_path: Path) -> None:
    output = changed(finished, tmp_path, {"grpo": {"learning_rate": 0.01}})
    assert "Train a step-size policy" in output
    assert "paper+trained weights" in output
    assert "tables" in output
    assert "on its own answers" not in output  # what trains a run
    assert "base weights" not in output


def test_a_changed_limit_of_the_grader_decodes_again_what_it_grades(finished: Any, tmp_path: Path) -> None:
    output = changed(finished, tmp_path, {"grading": {"cpu_s": 1.5}})
    assert "grade_shard" in output
    assert "on its own answers" not in output  # what trains a run
