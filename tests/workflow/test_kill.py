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
    "Write the tables",
    "Draw the figures",
    "Write the report",
)


def test_every_stage_is_called_what_the_kills_wait_for(workflow_in: Callable[[str], Any]) -> None:
    planned = workflow_in("planned").run("--dry-run", config=SMOKE)
    assert planned.returncode == 0, planned.stdout[-6000:]
    jobs = [line.strip() for line in planned.stdout.splitlines() if line.strip().startswith("Job ")]
    assert [stage for stage in STAGES if not any(stage in job for job in jobs)] == []


@pytest.mark.skipif("XPFLOW_KILLS" not in os.environ, reason="set XPFLOW_KILLS=50: half an hour")
def test_many_kills_in_every_stage_change_no_byte(finished: Any, workflow_in: Callable[[str], Any]) -> None:
    """The smoke study, killed at a seeded moment of one stage after the other, until it comes to its end.

    Where two stages run at once, the second may be done when the first is killed: a later folder kills it.
    """
    kills, draw, killed = int(os.environ["XPFLOW_KILLS"]), random.Random(0), list[str]()
    while len(killed) < kills:
        workflow = workflow_in("kills")
        left = [stage for stage in STAGES if stage not in killed] or list(STAGES)
        before = len(killed)
        while len(killed) < kills:
            stage = killed_in(workflow.start(config=SMOKE), left, draw.uniform(0.0, 2.5))
            if stage is None:
                break  # it came to its end
            left.remove(stage)
            killed.append(stage)
        assert len(killed) > before, f"no job was one of {left}"
        done = workflow.run(config=SMOKE)
        assert done.returncode == 0, done.stdout[-6000:]
        assert contents(workflow.folder) == contents(finished.folder)
        print(f"{len(killed)} kills so far", flush=True)
    assert kills < 2 * len(STAGES) or set(killed) == set(STAGES)


def killed_in(process: Any, stages: list[str], delay_s: float) -> str | None:
    """Kill the process group a moment after a job of one of the stages was started, and return which.

    None where no such job was started: the study came to its end.
    """
    found = None
    for line in process.stdout:
        found = next((one for one in stages if line.startswith("Job ") and one in line), None)
        if found is not None:
            time.sleep(delay_s)
            os.killpg(process.pid, signal.SIGKILL)
            break
    process.wait()
    process.stdout.close()
    return found if process.returncode == -signal.SIGKILL else None


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
