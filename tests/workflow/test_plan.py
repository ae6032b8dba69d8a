"""What the workflow would do: linted, explained by a dry run, stopped by a typo before any job."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from xpflow.study.config import load_study
from xpflow.study.rows import jobs_of

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "config"
ANSWERS = {"plain": "all", "correct": "passed", "other": "passed"}  # of three runs


def counts(output: str) -> dict[str, int]:
    """Return the table of job counts that a dry run prints."""
    table = output.rsplit("Job stats:", 1)[1]
    return {name: int(number) for name, number in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}


def test_the_linter_and_the_formatter_have_nothing_to_say(workflow_in: Callable[[str], Any]) -> None:
    linted = workflow_in("lint").run("--lint", config=CONFIG / "micro.yaml")
    assert linted.returncode == 0, linted.stdout
    formatted = subprocess.run(
        [str(Path(sys.executable).parent / "snakefmt"), "--check", "Snakefile", "workflow"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert formatted.returncode == 0, formatted.stderr


@pytest.mark.parametrize("name", ["micro", "micro-full"])
def test_a_dry_run_counts_one_job_for_each_part_of_the_study(
    name: str, workflow_in: Callable[[str], Any]
) -> None:
    study = load_study(CONFIG / f"{name}.yaml")
    done = workflow_in(name).run("--dry-run", config=CONFIG / f"{name}.yaml")
    assert done.returncode == 0, done.stdout
    found = counts(done.stdout)
    models, seeds, jobs = len(study.models), len(study.study.seeds), len(jobs_of(study))
    shards = study.runtime.shards
    assert found["answer_prompts"] == models * seeds * shards
    assert found["train"] == models * seeds * len(study.training.runs)
    assert found["train_policy"] == seeds
    assert "grade_answers" not in found
    assert found["decode_shard"] == found["grade_shard"] == jobs * shards
    assert sum(number for rule, number in found.items() if rule.startswith("merge_")) == jobs + models * seeds
    assert found["tables"] == found["figures"] == found["prompts"] == found["filter_solvable"] == 1


def test_answers_are_graded_between_their_merge_and_the_runs_that_want_those_that_passed(
    workflow_in: Callable[[str], Any], tmp_path: Path
) -> None:
    runs = [{"name": name, "objective": "masked", "answers": wanted} for name, wanted in ANSWERS.items()]
    arms = [{"name": name, "decoder": "mask_prediction", "weights": name} for name in ANSWERS]
    study = {
        "study": {"name": "kept", "seeds": [0, 1]},
        "problems": {"benchmarks": [{"name": "micropy-he", "limit": 2}]},
        "models": [{"name": "llada-micro", "training": "full"}],
        "selfdata": {"benchmark": "micropy-training", "prompts": 8, "heldout": 2},
        "training": {"runs": runs},
        "grpo": {"weights": "base"},
        "evaluation": {"arms": arms},
    }
    (tmp_path / "kept.yaml").write_text(yaml.safe_dump(study))
    done = workflow_in("kept").run("--dry-run", "--printshellcmds", config=tmp_path / "kept.yaml")
    assert done.returncode == 0, done.stdout
    found = counts(done.stdout)
    assert (found["merge_answers"], found["grade_answers"], found["train"]) == (2, 2, 6)
    for seed in (0, 1):
        answers = f"results/kept/llada-micro/selfdata/seed{seed}.jsonl"
        verdicts = f"results/kept/llada-micro/selfdata/verdicts/seed{seed}.jsonl"
        assert f"--data {answers} --out {verdicts}" in done.stdout
        trained = [line for line in done.stdout.splitlines() if "xpflow train" in line and answers in line]
        with_verdicts = [line for line in trained if f"--verdicts {verdicts}" in line]
        assert (len(trained), len(with_verdicts)) == (3, 2)
        assert not [line for line in with_verdicts if "--run plain" in line]


def test_published_tables_are_no_reason_to_do_nothing(workflow_in: Callable[[str], Any]) -> None:
    """A fresh clone has paper_figures/micro-full and no results: the study is still to be run."""
    workflow = workflow_in("published")
    shutil.copytree(ROOT / "paper_figures" / "micro-full", workflow.folder / "paper_figures" / "micro-full")
    found = counts(workflow.run("--dry-run", config=CONFIG / "micro-full.yaml").stdout)
    assert found["decode_shard"] == len(jobs_of(load_study(CONFIG / "micro-full.yaml")))
    assert found["tables"] == found["figures"] == 1


def test_a_dry_run_says_in_words_what_each_job_is_for(workflow_in: Callable[[str], Any]) -> None:
    output = workflow_in("words").run("--dry-run", config=CONFIG / "micro.yaml").stdout
    assert "Train llada2-micro on its own answers, run preserving, seed 0" in output
    assert re.search(
        r"Decode micropy-he with llada-micro, base weights, seed 0: \d+ arms and budgets", output
    )
    assert len(re.findall(r"^ *Job \d+: ", output, re.MULTILINE)) == counts(output)["total"] - 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("training: {updats: 3}", ["line 1", "training.updats", "no such key"]),
        ("runtime:\n  theads: 1", ["line 2", "runtime.theads", "did you mean 'threads'?"]),
    ],
)
def test_a_typo_stops_it_with_key_file_and_the_nearest_key(
    text: str, expected: list[str], tmp_path: Path, workflow_in: Callable[[str], Any]
) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    workflow = workflow_in("typo")
    done = workflow.run(config=tmp_path / "mine.yaml")
    assert done.returncode == 1
    assert all(part in done.stdout for part in [*expected, "mine.yaml"]), done.stdout
    assert "Traceback" not in done.stdout
    assert not (workflow.folder / "results").exists()


def test_a_decoder_s_own_settings_are_checked_before_the_first_job(
    tmp_path: Path, workflow_in: Callable[[str], Any]
) -> None:
    arm = "{name: mask, decoder: mask_prediction, settings: {temperatur: 1.0}}"
    (tmp_path / "mine.yaml").write_text(f"evaluation: {{arms: [{arm}]}}\n")
    workflow = workflow_in("arms")
    done = workflow.run(config=tmp_path / "mine.yaml")
    assert done.returncode == 1
    assert "evaluation.arms[mask]" in done.stdout
    assert "did you mean 'temperature'?" in done.stdout
    assert not list(workflow.folder.rglob("study.yaml"))


@pytest.mark.parametrize(
    ("target", "expected"),
    [("pretrain", "Train llada2-micro on a generated world"), ("policy", "Train a step-size policy")],
)
def test_the_long_trainings_run_only_when_they_are_asked_for(
    target: str, expected: str, workflow_in: Callable[[str], Any]
) -> None:
    done = workflow_in(target).run("--dry-run", target, config=CONFIG / "micro.yaml")
    assert done.returncode == 0, done.stdout
    assert expected in done.stdout
    assert "decode_shard" not in done.stdout


def test_on_a_cluster_small_jobs_share_submissions_and_those_on_gpus_do_not(
    workflow_in: Callable[[str], Any],
) -> None:
    profiles = [f"--profile={ROOT}/workflow/profiles/{name}" for name in ("slurm", "paper")]
    done = workflow_in("cluster").run("--dry-run", *profiles, config=CONFIG / "paper.yaml")
    assert done.returncode == 0, done.stdout
    grouped = re.findall(r"^    Job \d+: (\w+)", done.stdout, re.MULTILINE)
    alone = re.findall(r"^Job \d+: (\w+)", done.stdout, re.MULTILINE)
    found = counts(done.stdout)
    # The first words of their messages.
    assert grouped.count("Run") == found["grade_shard"]
    assert alone.count("Decode") == found["decode_shard"] + found["trace"]
    assert alone.count("Train") == found["train"] + found["train_policy"]
    assert not {"Decode", "Train", "Keep"} & set(grouped)
    assert done.stdout.count("Group job grade.") <= found["grade_shard"] / 16
