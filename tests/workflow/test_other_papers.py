"""soft-paper and dsl-paper: planned, and with tiny random weights."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xpflow.cli import main
from xpflow.study.config import load_study
from xpflow.study.rows import expand

CONFIG = Path(__file__).parents[2] / "config"
DREAMS = ("dream-7b-instruct", "dream-coder-7b-instruct")


@pytest.mark.parametrize(("name", "models"), [("soft-paper", DREAMS), ("dsl-paper", ("llada-8b-instruct",))])
def test_a_tiny_study_is_its_paper_s_but_for_sizes_places_and_arms(name: str, models: tuple[str]) -> None:
    paper, tiny = load_study(CONFIG / f"{name}.yaml"), load_study(CONFIG / f"{name}-tiny.yaml")
    assert tuple(one.name for one in paper.models) == models
    assert [(one.name, one.training, one.protocol) for one in tiny.models] == [
        (one.name, one.training, one.protocol) for one in paper.models
    ]
    assert tiny.training.runs == paper.training.runs
    arms = {arm.name: (arm.decoder, arm.weights, arm.policy, arm.settings) for arm in paper.evaluation.arms}
    for arm in tiny.evaluation.arms:
        assert arms[arm.name] == (arm.decoder, arm.weights, arm.policy, arm.settings)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("soft-paper", ("run soft, seed 4", "Fetch dream-7b-instruct at revision 05334cb9faaf")),
        pytest.param(
            "dsl-paper", ("run xdlm", "Fetch fineweb-edu at revision 87f09149ef47"), marks=pytest.mark.long
        ),
    ],
)
def test_a_dry_run_plans_every_stage_and_needs_no_weights(
    name: str, says: tuple[str, ...], workflow_in: Callable[[str], Any]
) -> None:
    done = workflow_in(name).run("--dry-run", config=CONFIG / f"{name}.yaml")
    assert done.returncode == 0, done.stdout
    for stage in ("fetch", "export_problems", "train", "decode_shard", "grade_shard", "tables", "report"):
        assert f"\n{stage} " in done.stdout, stage
    assert all(text in done.stdout for text in says)


@pytest.mark.slow
@pytest.mark.skipif("XPFLOW_TEST_PAPER" not in os.environ, reason="set XPFLOW_TEST_PAPER=1: 116 and 60 jobs")
@pytest.mark.parametrize(("name", "models"), [("soft", DREAMS), ("dsl", ("llada-8b-instruct",))])
def test_a_tiny_study_runs_every_rule_to_the_end(
    name: str, models: tuple[str, ...], workflow_in: Callable[[str], Any]
) -> None:
    study = f"{name}-paper-tiny"
    workflow, config = workflow_in(study), CONFIG / f"{study}.yaml"
    words = [word for model in models for word in ("--model", model)]
    assert main(["tiny", str(workflow.folder / "results/tiny"), *words]) == 0
    done = workflow.run(config=config)
    assert done.returncode == 0, done.stdout[-6000:]
    for row in expand(load_study(config)):
        for file in ("samples.jsonl", "verdicts.jsonl"):
            assert (workflow.folder / "results" / study / row.folder / file).is_file()
