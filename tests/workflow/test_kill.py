"""Killed at any moment and started again, a study ends with the same tables, whatever the shards."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
SMOKE = Path(__file__).parents[2] / "config" / "smoke.yaml"

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


def test_killed_and_started_again_it_shows_the_same(
    workflow_in: Callable[[str], Any], tmp_path: Path
) -> None:
    for shards in (1, 2):
        (tmp_path / f"{shards}.yaml").write_text(STUDY.replace("SHARDS", str(shards)))
    whole = workflow_in("whole")
    done = whole.run(config=tmp_path / "1.yaml")
    assert done.returncode == 0, done.stdout[-6000:]

    killed = workflow_in("killed")
    for text in ("Align llada-micro", "Decode micropy-he", "Run the programs of"):
        kill_when(killed.start(config=tmp_path / "2.yaml"), text, delay_s=1.5)
    done = killed.run(config=tmp_path / "2.yaml")
    assert done.returncode == 0, done.stdout[-6000:]
    assert killed.figures("kill") == whole.figures("kill")
    samples = "results/kill/llada-micro/eval/micropy-he/flow/1-4/seed0/samples.jsonl"
    assert (killed.folder / samples).read_bytes() == (whole.folder / samples).read_bytes()


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
