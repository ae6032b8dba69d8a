"""The studies at the papers' sizes beside x-prediction flow's own: planned, and with tiny random weights."""

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


def test_the_tiny_study_is_the_paper_s_but_for_sizes_places_and_arms() -> None:
    paper, tiny = load_study(CONFIG / "soft-paper.yaml"), load_study(CONFIG / "soft-paper-tiny.yaml")
    assert tuple(one.name for one in paper.models) == DREAMS
    assert [(one.name, one.training, one.protocol) for one in tiny.models] == [
        (one.name, one.training, one.protocol) for one in paper.models
    ]
    assert tiny.training.runs == paper.training.runs
    arms = {arm.name: (arm.decoder, arm.weights, arm.policy, arm.settings) for arm in paper.evaluation.arms}
    for arm in tiny.evaluation.arms:
        assert arms[arm.name] == (arm.decoder, arm.weights, arm.policy, arm.settings)


def test_a_dry_run_plans_every_stage_and_needs_no_weights(workflow_in: Callable[[str], Any]) -> None:
    done = workflow_in("soft-paper").run("--dry-run", config=CONFIG / "soft-paper.yaml")
    assert done.returncode == 0, done.stdout
    for stage in ("fetch", "export_problems", "train", "decode_shard", "grade_shard", "tables", "report"):
        assert f"\n{stage} " in done.stdout, stage
    assert "Train dream-coder-7b-instruct on its own answers, run soft, seed 4" in done.stdout
    assert "Fetch dream-7b-instruct at revision 05334cb9faaf" in done.stdout


@pytest.mark.slow
@pytest.mark.skipif("XPFLOW_TEST_PAPER" not in os.environ, reason="set XPFLOW_TEST_PAPER=1: 116 jobs")
def test_the_tiny_study_runs_every_rule_to_the_end(workflow_in: Callable[[str], Any]) -> None:
    workflow, config = workflow_in("soft-paper-tiny"), CONFIG / "soft-paper-tiny.yaml"
    models = [word for name in DREAMS for word in ("--model", name)]
    assert main(["tiny", str(workflow.folder / "results/tiny"), *models]) == 0
    done = workflow.run(config=config)
    assert done.returncode == 0, done.stdout[-6000:]
    for row in expand(load_study(config)):
        for name in ("samples.jsonl", "verdicts.jsonl"):
            assert (workflow.folder / "results/soft-paper-tiny" / row.folder / name).is_file()
