"""The study of few steps, from answers to report, at sizes that mean nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from xpflow.study.config import load_study
from xpflow.study.layout import Layout
from xpflow.study.rows import expand, trained_runs
from xpflow.study.stages import figure_names, table_names

CONFIG = Path(__file__).parents[2] / "config"
LIMITS = {"micropy-he": 3, "micropy-he-validation": 2}
SIZES = ("updates", "batch_size")  # of a run


def tiny_few_step(folder: Path) -> Path:
    """Write the study with two updates a run, few problems and at most two values a curve."""
    few = yaml.safe_load((CONFIG / "few-step.yaml").read_text())
    runs = [
        {key: 2 if key in SIZES else value for key, value in run.items()} for run in few["training"]["runs"]
    ]
    curves = [{**curve, "values": curve["values"][-2:]} for curve in few["frontier"]["curves"]]
    benchmarks = [{**one, "limit": LIMITS[one["name"]]} for one in few["problems"]["benchmarks"]]
    study = {
        "extends": str(CONFIG / "few-step.yaml"),
        "study": {"name": "few-step-tiny", "title": "Two updates a run: its numbers mean nothing"},
        "problems": {"benchmarks": benchmarks},
        "selfdata": {"prompts": 8, "heldout": 4},
        "training": {"runs": runs, "full": dict.fromkeys(SIZES, 2), "warmup_updates": 1, "log_every": 2},
        "evaluation": {"batch_size": 4},
        "reporting": {"bootstrap_samples": 200, "figure_formats": ["png"]},
        "frontier": {"curves": curves},
    }
    file = folder / "few-step-tiny.yaml"
    file.write_text(yaml.safe_dump(study))
    return file


def test_the_tiny_study_is_that_of_few_steps_but_for_sizes(tmp_path: Path) -> None:
    few, tiny = load_study(CONFIG / "few-step.yaml"), load_study(tiny_few_step(tmp_path))
    assert tiny.frontier.preregistration == few.frontier.preregistration
    assert tiny.frontier.names == few.frontier.names
    assert tiny.evaluation.arms == few.evaluation.arms
    assert trained_runs(tiny) == trained_runs(few)
    objectives = [
        [(run.name, run.objective, run.settings, run.start) for run in study.training.runs]
        for study in (few, tiny)
    ]
    assert objectives[0] == objectives[1]


@pytest.mark.slow
@pytest.mark.long
def test_the_study_runs_every_rule_to_its_report_and_then_has_nothing_to_do(
    workflow_in: Callable[[str], Any], tmp_path: Path
) -> None:
    file, workflow = tiny_few_step(tmp_path), workflow_in("few-step-tiny")
    done = workflow.run(config=file)
    assert done.returncode == 0, done.stdout[-6000:]
    study, layout = load_study(file), Layout.of("few-step-tiny", workflow.folder)
    assert all(path.is_file() for row in expand(study) for path in layout.row_files(row))
    shown = workflow.figures("few-step-tiny")
    assert {f"{name}.md" for name in table_names(study)} <= shown.keys()
    assert {f"{name}.png" for name in figure_names(study)} <= shown.keys()
    assert layout.figure("report", "html").is_file()
    costs = pd.read_csv(layout.figure("training_cost", "csv"), comment="#").set_index("curve")
    assert (costs["seconds"] > 0).all()
    rounds, control = costs.loc["threshold-sdtt"], costs.loc["threshold-control"]
    assert (control["updates"], rounds["updates"]) == (2, 6)
    # 2 updates of 2 answers: 3 states of each with a backward, counted as two; one for the control
    assert (costs.loc["threshold-forced", "forwards"], control["forwards"]) == (36, 12)
    assert not list(layout.run("llada-micro", "forced", 0).parent.glob("*.state*"))
    again = workflow.run(config=file)
    assert "Nothing to be done" in again.stdout
    assert workflow.figures("few-step-tiny") == shown
