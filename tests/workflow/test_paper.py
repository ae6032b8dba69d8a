"""The paper's study: planned in seconds, and run from end to end with tiny random weights."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from xpflow.cli import main
from xpflow.study.config import load_study
from xpflow.study.rows import expand

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "config"
STAGES = (
    *("fetch", "export_problems", "export_training_problems", "answer_prompts", "merge_answers", "train"),
    *("filter_solvable", "train_policy", "decode_shard", "grade_shard", "tables", "figures", "prompts"),
    "report",
)


def test_a_dry_run_plans_every_stage_of_the_paper_and_needs_no_weights(
    workflow_in: Callable[[str], Any],
) -> None:
    done = workflow_in("paper").run("--dry-run", config=CONFIG / "paper.yaml")
    assert done.returncode == 0, done.stdout
    for stage in STAGES:
        assert f"\n{stage} " in done.stdout, stage
    assert "Train a step-size policy (Eq. 18) on llada-8b-instruct (paper weights), seed 0" in done.stdout


def test_a_dry_run_plans_every_training_of_few_steps_at_8_b(workflow_in: Callable[[str], Any]) -> None:
    done = workflow_in("few-step-paper").run("--dry-run", config=CONFIG / "few-step-paper.yaml")
    assert done.returncode == 0, done.stdout
    for run in load_study(CONFIG / "few-step-paper.yaml").training.runs:
        for model in ("llada-8b-instruct", "llada2.0-mini"):
            assert f"Train {model} on its own answers, run {run.name}, seed 0" in done.stdout


def test_the_tiny_study_is_the_paper_s_but_for_sizes_and_places() -> None:
    paper, tiny = load_study(CONFIG / "paper.yaml"), load_study(CONFIG / "paper-tiny.yaml")
    assert tiny.evaluation.arms == paper.evaluation.arms
    assert tiny.study.preregistration == paper.study.preregistration
    assert [(one.name, one.training, one.protocol) for one in tiny.models] == [
        (one.name, one.training, one.protocol) for one in paper.models
    ]
    assert tiny.grpo.train_budget == paper.grpo.train_budget


FOLDER = Path("results/paper-tiny")
ALIGNED = FOLDER / "llada-8b-instruct/runs/paper/seed0"  # experts: tests/unit/training/test_distributed.py
POLICY = FOLDER / "policy/seed0"
TRAINED = [str(ALIGNED / "train.manifest.json"), str(POLICY / "policy.safetensors")]


@pytest.mark.slow
@pytest.mark.skipif("XPFLOW_TEST_PAPER" not in os.environ, reason="set XPFLOW_TEST_PAPER=1: minutes")
def test_training_in_two_processes_gives_what_one_gives(
    workflow_in: Callable[[str], Any], tmp_path: Path
) -> None:
    two = _run(workflow_in("paper-tiny"), CONFIG / "paper-tiny.yaml", *TRAINED)
    alone = tmp_path / "alone.yaml"
    study = yaml.safe_load((CONFIG / "paper-tiny.yaml").read_text())
    study["extends"] = str(CONFIG / "paper.yaml")
    study["runtime"]["processes"] = 1
    alone.write_text(yaml.safe_dump(study))
    one = _run(workflow_in("paper-tiny-alone"), alone, *TRAINED)
    for place in (ALIGNED, POLICY):
        _assert_close(two / place, one / place)


@pytest.mark.slow
@pytest.mark.skipif("XPFLOW_TEST_PAPER" not in os.environ, reason="set XPFLOW_TEST_PAPER=1: 64 jobs, minutes")
def test_the_tiny_study_runs_every_rule_to_the_end(workflow_in: Callable[[str], Any]) -> None:
    whole = _run(workflow_in("paper-tiny-whole"), CONFIG / "paper-tiny.yaml")
    for row in expand(load_study(CONFIG / "paper-tiny.yaml")):
        for name in ("samples.jsonl", "verdicts.jsonl"):
            assert (whole / FOLDER / row.folder / name).is_file()
    assert (whole / "paper_figures/paper-tiny/table1.md").is_file()


@pytest.mark.slow
@pytest.mark.skipif("XPFLOW_TEST_PAPER" not in os.environ, reason="set XPFLOW_TEST_PAPER=1: minutes")
def test_the_study_of_few_steps_at_8_b_runs_every_rule_to_the_end_with_tiny_weights(
    workflow_in: Callable[[str], Any], tmp_path: Path
) -> None:
    """Runs, arms and curves are those of the file; sizes, places and machine those of paper-tiny.yaml."""
    sizes = yaml.safe_load((CONFIG / "paper-tiny.yaml").read_text())
    few = yaml.safe_load((CONFIG / "few-step-paper.yaml").read_text())
    tiny = {key: sizes[key] for key in ("selfdata", "grading", "runtime", "reporting")}
    one = [
        {**run, "batch_size": 2, **({"updates": 1} if "updates" in run else {})}
        for run in few["training"]["runs"]
    ]
    tiny |= {
        "extends": str(CONFIG / "few-step-paper.yaml"),
        "study": {"name": "few-step-paper-tiny", "title": "Tiny random weights: its numbers mean nothing"},
        "problems": {
            "benchmarks": [{**each, "limit": 2} for each in few["problems"]["benchmarks"]],
            "sources": sizes["problems"]["sources"],
        },
        "models": [{**each, "training": "lora"} for each in sizes["models"]],
        "training": {
            "runs": one,
            "lora": {"updates": 2, "batch_size": 2},
            "warmup_updates": 1,
            "log_every": 1,
        },
        "evaluation": {"batch_size": 4, "settings": {"gen_length": 32, "block_length": 32}},
    }
    file = tmp_path / "few-step-paper-tiny.yaml"
    file.write_text(yaml.safe_dump(tiny))
    whole = _run(workflow_in("few-step-paper-tiny"), file)
    assert (whole / "paper_figures/few-step-paper-tiny/frontier_claims.md").is_file()


def _run(workflow: Any, config: Path, *targets: str) -> Path:
    """Write the tiny weights and run the study, or only what makes some files; returns its folder."""
    assert main(["tiny", str(workflow.folder / "results/tiny")]) == 0
    done = workflow.run(*targets, config=config)
    assert done.returncode == 0, done.stdout[-6000:]
    return workflow.folder


def _assert_close(left: Path, right: Path) -> None:
    """The tensors of two folders are the same up to rounding."""
    import torch
    from safetensors.torch import load_file

    files = sorted(path.name for path in left.glob("*.safetensors"))
    assert files
    assert files == sorted(path.name for path in right.glob("*.safetensors"))
    for name in files:
        ours, theirs = load_file(left / name), load_file(right / name)
        assert ours.keys() == theirs.keys()
        for key, tensor in ours.items():
            torch.testing.assert_close(tensor.float(), theirs[key].float(), rtol=1e-2, atol=1e-3, msg=key)
