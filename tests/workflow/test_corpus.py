"""Studies of models of corpora: planned at the papers' size, and run to the end with tiny random weights."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tests.fakes.tiny_corpus import write_corpus, write_study

from xpflow.study.layout import Layout

CONFIG = Path(__file__).parents[2] / "config"
STAGES = ("fetch", "pack_corpus", "train_corpus", "measure_corpus", "sample_corpus", "judge_corpus")
LAYOUT = Layout.of("tiny-corpus")
ASKED = pytest.mark.skipif("XPFLOW_TEST_PAPER" not in os.environ, reason="set XPFLOW_TEST_PAPER=1: minutes")


@pytest.mark.parametrize(
    ("name", "more", "jobs"),
    [("lomdm-paper", (), 9), ("imdm-paper", ("couple_corpus",), 38)],
)
def test_a_dry_run_plans_every_stage_at_the_papers_size(
    workflow_in: Callable[[str], Any], name: str, more: tuple[str, ...], jobs: int
) -> None:
    done = workflow_in(name).run("--dry-run", config=CONFIG / f"{name}.yaml")
    assert done.returncode == 0, done.stdout
    counts = {
        line.split()[0]: line.split()[-1] for line in done.stdout.splitlines() if len(line.split()) == 2
    }
    assert {*STAGES, *more, "tables", "figures", "report"} <= counts.keys()
    assert counts["train_corpus"] == str(jobs)


@pytest.fixture(scope="module")
def whole(workflow_in: Callable[[str], Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The tiny study, run once by two processes and watched."""
    workflow = replace(workflow_in("corpus"), watched=tmp_path_factory.mktemp("watched"))
    return _run(workflow, processes=2)


@pytest.mark.slow
@ASKED
def test_the_tiny_study_runs_every_rule_to_the_end(whole: Any) -> None:
    assert (whole.folder / LAYOUT.figures / "report.html").is_file()
    assert "Nothing to be done" in whole.run(config=whole.folder / "study.yaml").stdout


@pytest.mark.slow
@ASKED
def test_no_stage_ran_code_that_its_fingerprint_does_not_cover(
    whole: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(whole.folder)
    found = whole.uncovered()
    commands = ("", "_pack", "_train", "_couple", "_measure", "_sample", "_judge")
    group = {f"xpflow.cli.corpus{name}" for name in commands}
    assert {f"corpus-{name[1:]}" for name in commands[1:]} <= found.keys()
    # A study is checked against the corpora that it names; what a stage takes of one is in its settings.
    corpora = {f"xpflow.corpora.{name}" for name in ("training", "zero_shot", "detokenise")}
    assert not set().union(*found.values()) - group - corpora, "the group's other commands do not run"


@pytest.mark.slow
@ASKED
def test_training_in_two_processes_gives_what_one_gives(
    whole: Any, workflow_in: Callable[[str], Any]
) -> None:
    one = _run(workflow_in("corpus-alone"), 1, "text")
    for run in ("masked", "lomdm", "sdtt"):
        place = LAYOUT.text_checkpoint("lm1b", run, 0)
        for name in ("model.safetensors", "objective.safetensors"):
            if (one.folder / place / name).exists():
                _assert_close(whole.folder / place / name, one.folder / place / name)


def _run(workflow: Any, processes: int, *targets: str) -> Any:
    """Write tiny texts, tokenizers and a judge, and run the study or some targets of it."""
    write_corpus(workflow.folder / "tiny")
    config = write_study(workflow.folder / "study.yaml", processes)
    done = workflow.run(*targets, config=config)
    assert done.returncode == 0, done.stdout[-6000:]
    return workflow


def _assert_close(left: Path, right: Path) -> None:
    """The tensors of two files are the same up to rounding."""
    first, second = load_file(left), load_file(right)
    assert first.keys() == second.keys()
    for name, value in first.items():
        torch.testing.assert_close(value, second[name], rtol=1e-3, atol=2e-4)
