"""Killed at any moment, or run twice at once, a study ends with the same tables, whatever the shards."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
SMOKE = ROOT / "config" / "smoke.yaml"

# One model, one benchmark, no policy training: every kind of file that a kill could leave half written.
STUDY = """
study: {name: kill}
problems: {benchmarks: [{name: micropy-he, limit: 6}]}
models: [{name: llada-micro, alignment: full}]
selfdata: {prompts: 4, budget: 1/8, heldout: 4}
alignment: {full: {updates: 4, batch_size: 4}, warmup_updates: 1, log_every: 1}
evaluation:
  budgets: [1/4]
  batch_size: 2
  arms:
    - {name: mask-base, decoder: mask_prediction, seeds: first}
    - {name: flow, decoder: flow, weights: paper, policy: 'confidence:8'}
reporting: {bootstrap_samples: 200, figure_formats: [png]}
runtime: {shards: SHARDS}
"""


def kill_when(process: Any, text: str, delay_s: float) -> None:
    """Kill the whole process group a moment after a line with `text` was printed."""
    for line in process.stdout:
        if text in line:
            break
    else:
        pytest.fail(f"it ended before {text!r}")
    time.sleep(delay_s)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()


@pytest.fixture(scope="module")
def configs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """The study in one and in two shards."""
    folder = tmp_path_factory.mktemp("configs")
    for shards in (1, 2):
        (folder / f"{shards}.yaml").write_text(STUDY.replace("SHARDS", str(shards)))
    return {shards: folder / f"{shards}.yaml" for shards in (1, 2)}


@pytest.fixture(scope="module")
def whole(workflow_in: Callable[[str], Any], configs: dict[int, Path]) -> Any:
    """The study, run once without trouble."""
    workflow = workflow_in("whole")
    done = workflow.run(config=configs[1])
    assert done.returncode == 0, done.stdout[-6000:]
    return workflow


def test_killed_and_started_again_it_shows_the_same(
    workflow_in: Callable[[str], Any], configs: dict[int, Path], whole: Any
) -> None:
    killed = workflow_in("killed")
    for text in ("Align llada-micro", "Decode micropy-he", "Run the programs of"):
        kill_when(killed.start(config=configs[2]), text, delay_s=1.5)
    done = killed.run(config=configs[2])
    assert done.returncode == 0, done.stdout[-6000:]
    assert killed.figures("kill") == whole.figures("kill")
    samples = "results/kill/llada-micro/eval/micropy-he/flow/1-4/seed0/samples.jsonl"
    assert (killed.folder / samples).read_bytes() == (whole.folder / samples).read_bytes()


@pytest.mark.skipif(not (ROOT / ".venv" / ".run").exists(), reason="needs the environment of `make`")
def test_two_makes_at_once_wait_for_each_other(
    workflow_in: Callable[[str], Any], configs: dict[int, Path], whole: Any
) -> None:
    folder = workflow_in("makes").folder
    shutil.copy(ROOT / "Makefile", folder)  # what is locked
    for name in ("Snakefile", "workflow", "src", "pyproject.toml", "requirements.lock", ".venv"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "config").mkdir()
    (folder / "config" / "kill.yaml").write_bytes(configs[1].read_bytes())
    runs = [
        subprocess.Popen(
            ["make", "reproduce", "STUDY=kill"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(2)
    ]
    said = [run.communicate()[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], "".join(said)[-6000:]
    assert sum("waiting for another run" in text for text in said) == 1
    assert sum("Nothing to be done" in text for text in said) == 1
    assert type(whole)(folder).figures("kill") == whole.figures("kill")


def test_snakemake_itself_refuses_a_second_run(
    workflow_in: Callable[[str], Any], configs: dict[int, Path], whole: Any
) -> None:
    """Without `--nolock`, which only `make` gives, for it has a lock of its own."""
    workflow = replace(workflow_in("locked"), lock=True)
    first = workflow.start(config=configs[1])
    for line in first.stdout:
        if line.startswith("Job "):
            break
    second = workflow.run(config=configs[1])
    rest = first.communicate()[0]
    assert first.returncode == 0, rest[-6000:]
    assert second.returncode != 0
    assert "cannot be locked" in second.stdout
    assert workflow.figures("kill") == whole.figures("kill")


# What the message of each stage's jobs says, in about the order in which they run.
STAGES = (
    "Write the problems of",
    "Write the training problems",
    "Write the first prompts",
    "answers persona prompts",
    "Keep the training problems",
    "Merge the answers",
    "Align ",
    "Train a step-size policy",
    "Decode micropy",
    "Run the programs of",
    "Sort the results of",
    "Decode one problem",
    "Write Tables",
    "Draw Figures",
)


@pytest.mark.skipif("XPFLOW_KILLS" not in os.environ, reason="set XPFLOW_KILLS=50: a quarter of an hour")
def test_many_kills_in_every_stage_change_no_byte(finished: Any, workflow_in: Callable[[str], Any]) -> None:
    """The smoke study, killed in one stage after the other at a seeded moment, then let end."""
    kills, draw, killed = int(os.environ["XPFLOW_KILLS"]), random.Random(0), list[str]()
    while len(killed) < kills:
        workflow = workflow_in("kills")
        while len(killed) < kills:
            stage = STAGES[len(killed) % len(STAGES)]
            process = workflow.start(config=SMOKE)
            if not killed_in(process, stage, draw.uniform(0.0, 2.5)):
                break  # it came to its end: that stage was done already, and is killed in a new folder
            killed.append(stage)
        done = workflow.run(config=SMOKE)
        assert done.returncode == 0, done.stdout[-6000:]
        assert contents(workflow.folder) == contents(finished.folder)
        print(f"{len(killed)} kills so far", flush=True)
    assert kills < len(STAGES) or set(killed) == set(STAGES)


def killed_in(process: Any, text: str, delay_s: float) -> bool:
    """Kill the process group a moment after a job with `text` was started; False where none was."""
    for line in process.stdout:
        if line.startswith("Job ") and text in line:
            time.sleep(delay_s)
            os.killpg(process.pid, signal.SIGKILL)
            break
    process.wait()
    process.stdout.close()
    return bool(process.returncode == -signal.SIGKILL)


def contents(folder: Path) -> dict[str, bytes]:
    """Return the tables, figures, samples and weights of a study; verdicts hold times."""
    wanted = {".md", ".csv", ".tex", ".png", ".safetensors"}
    found = [*folder.glob("paper_figures/smoke/*"), *folder.glob("results/smoke/**/*.safetensors")]
    found += folder.glob("results/smoke/**/samples.jsonl")
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in found
        if path.suffix in wanted or path.name == "samples.jsonl"
    }
