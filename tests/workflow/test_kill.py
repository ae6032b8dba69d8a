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
    workflow_in: Callable[[str], Any], tiny_configs: dict[int, Path], tiny: Any
) -> None:
    killed = workflow_in("killed")
    for text in ("Train llada-micro", "Decode micropy-he", "Run the programs of"):
        kill_when(killed.start(config=tiny_configs[2]), text, delay_s=1.5)
    done = killed.run(config=tiny_configs[2])
    assert done.returncode == 0, done.stdout[-6000:]
    assert killed.figures("tiny") == tiny.figures("tiny")
    samples = "results/tiny/llada-micro/eval/micropy-he/flow/1-4/seed0/samples.jsonl"
    assert (killed.folder / samples).read_bytes() == (tiny.folder / samples).read_bytes()


@pytest.mark.long
@pytest.mark.skipif(not (ROOT / ".venv" / ".run").exists(), reason="needs the environment of `make`")
def test_two_makes_at_once_wait_for_each_other(
    undecoded: Any, tiny_configs: dict[int, Path], tiny: Any
) -> None:
    folder = undecoded.folder
    shutil.copy(ROOT / "Makefile", folder)  # what is locked
    for name in (
        "Snakefile",
        "workflow",
        "src",
        "containers",
        "pyproject.toml",
        "requirements.lock",
        ".venv",
    ):
        (folder / name).symlink_to(ROOT / name)
    (folder / "config").mkdir()
    (folder / "config" / "tiny.yaml").write_bytes(tiny_configs[1].read_bytes())

    def make() -> Any:
        command = ["make", "reproduce", "STUDY=tiny"]
        return subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    first = make()
    for line in first.stdout:
        if line.startswith("Job "):
            break
    second = make()
    said, waited = first.communicate()[0], second.communicate()[0]
    assert (first.returncode, second.returncode) == (0, 0), (said + waited)[-6000:]
    assert "waiting for another run" in waited
    assert "Nothing to be done" in waited
    assert undecoded.figures("tiny") == tiny.figures("tiny")


@pytest.mark.long
def test_snakemake_itself_refuses_a_second_run(
    undecoded: Any, tiny_configs: dict[int, Path], tiny: Any
) -> None:
    """Without `--nolock`, which only `make` gives, for it has a lock of its own."""
    workflow = replace(undecoded, lock=True)
    first = workflow.start(config=tiny_configs[1])
    for line in first.stdout:
        if line.startswith("Job "):
            break
    second = workflow.run(config=tiny_configs[1])
    rest = first.communicate()[0]
    assert first.returncode == 0, rest[-6000:]
    assert second.returncode != 0
    assert "cannot be locked" in second.stdout
    assert workflow.figures("tiny") == tiny.figures("tiny")


# What the message of each stage's jobs says, in about the order in which they run.
STAGES = (
    "Write the problems of",
    "Write the training problems",
    "Write the first prompts",
    "answer the prompts of",
    "Keep the training problems",
    "Merge the answers",
    "on its own answers",
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
