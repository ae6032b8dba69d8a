"""Killed at any moment and started again, a study ends with the same tables, whatever the shards."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

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
