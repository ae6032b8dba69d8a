"""Alignment and policy training by two processes (gloo), through the command line: as by one, resumable."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from xpflow.cli import main
from xpflow.models.aligned import alignment_of, weights_sha256
from xpflow.models.registry import model_folder

pytestmark = pytest.mark.slow

STUDY = """
study: {name: two}
problems: {benchmarks: [{name: micropy-he, limit: 2}]}
training:
  full: {updates: 3, batch_size: 5}
  lora: {updates: 3, batch_size: 5}
  warmup_updates: 1
  log_every: 1
grpo: {updates: 3, prompts_per_update: 4, group_size: 2, rollout_shards: 2, train_budget: 1/8,
  warm_start_updates: 5, exploration: trajectory, validate_every: 2, validation_limit: 34,
  checkpoint_every: 1}
reporting: {figure_formats: [png]}
runtime: {processes: PROCESSES, checkpoint_every: 1, micro_batch: MICRO}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with studies of one and two processes, alignment data and training problems."""
    folder = tmp_path_factory.mktemp("two")
    for processes, micro in ((1, "null"), (2, "2")):
        text = STUDY.replace("PROCESSES", str(processes)).replace("MICRO", micro)
        (folder / f"{processes}.yaml").write_text(text)
    generator = torch.Generator().manual_seed(0)

    def draw(count: int) -> list[int]:
        return torch.randint(10, 900, (count,), generator=generator).tolist()

    kinds = ["train"] * 12 + ["probe"] * 3 + ["heldout"] * 3
    rows = [
        {"kind": kind, "prompt_ids": draw(5 + i % 4), "response": draw(8)} for i, kind in enumerate(kinds)
    ]
    (folder / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert (
        main(["problems", "export", "micropy-mbpp", "--limit", "5", "--out", f"{folder}/problems.jsonl"]) == 0
    )
    return folder


def align(folder: Path, model: str, processes: int, out: str, data: str = "data.jsonl") -> list[str]:
    options = {"model": model, "run": "preserving", "data": folder / data, "out": folder / out}
    return ["train", "--config", f"{folder}/{processes}.yaml", *flat(options)]


def grpo(folder: Path, processes: int, out: str) -> list[str]:
    options = {"model": "llada-micro", "problems": folder / "problems.jsonl", "out": folder / out}
    return ["grpo", "--config", f"{folder}/{processes}.yaml", *flat(options)]


def flat(options: dict[str, Any]) -> list[str]:
    return [part for key, value in options.items() for part in (f"--{key}", str(value))]


def start(arguments: list[str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "xpflow.cli", *arguments]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def finish(arguments: list[str]) -> tuple[int, str]:
    process = start(arguments)
    _, errors = process.communicate(timeout=1200)
    return process.returncode, errors


def end_at(process: subprocess.Popen[str], text: str, number: signal.Signals) -> int:
    """Signal a command once a line with `text` was printed; returns its exit code when no rank is left."""
    assert process.stderr is not None
    seen = []
    for line in process.stderr:
        seen.append(line)
        if text in line:
            break
    else:
        pytest.fail(f"it ended before {text!r}: {''.join(seen)}")
    ranks = children(process.pid)
    assert len(ranks) == 2
    process.send_signal(number)
    process.stderr.close()
    code = process.wait(timeout=600)
    deadline = time.monotonic() + 300
    while any(Path(f"/proc/{rank}").exists() for rank in ranks):
        assert time.monotonic() < deadline, "a rank was left behind"
        time.sleep(0.1)
    return code


def children(parent: int) -> list[int]:
    found = []
    for entry in os.listdir("/proc"):
        try:
            status = Path(f"/proc/{entry}/stat").read_text() if entry.isdigit() else ""
        except OSError:
            continue
        if status and int(status.rpartition(")")[2].split()[1]) == parent:
            found.append(int(entry))
    return found


def log_of(path: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (path / "log.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key not in ("seconds", "run")} for row in rows]


def assert_alike(one: Path, two: Path) -> None:
    for expected, found in zip(log_of(one), log_of(two), strict=True):
        assert found == pytest.approx(expected, rel=1e-5, abs=1e-7)
    wanted, weights = load_file(one / "model.safetensors"), load_file(two / "model.safetensors")
    assert wanted.keys() == weights.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(weights[name], value, rtol=1e-3, atol=2e-4, msg=name)
    assert (one / "config.json").read_bytes() == (two / "config.json").read_bytes()


@pytest.mark.long
def test_sharded_alignment_is_that_of_one_process_and_resumes_to_the_same_bytes(folder: Path) -> None:
    assert main(align(folder, "llada-micro", 1, "full-one")) == 0
    code, errors = finish(align(folder, "llada-micro", 2, "full-two"))
    assert code == 0, errors
    assert_alike(folder / "full-one", folder / "full-two")
    said = alignment_of(folder / "full-two")
    assert said is not None
    assert said["updates"] == 3
    assert said["base"] == weights_sha256(model_folder("llada-micro"))
    assert sum("update 3" in line for line in errors.splitlines()) == 1

    killed = align(folder, "llada-micro", 2, "full-killed")
    assert end_at(start(killed), "update 2", signal.SIGKILL) == -signal.SIGKILL
    shards, copy = folder / "full-killed.state.shards", folder / "full-other.state.shards"
    subprocess.run(["cp", "-r", shards, copy], check=True)
    code, errors = finish(killed)
    assert code == 0, errors
    assert "update 0" not in errors
    for name in ("model.safetensors", "log.jsonl"):
        assert (folder / "full-killed" / name).read_bytes() == (folder / "full-two" / name).read_bytes()
    assert not shards.exists()

    assert main(align(folder, "llada-micro", 1, "full-other")) == 0
    assert_alike(folder / "full-two", folder / "full-other")


def test_adapters_of_two_processes_are_those_of_one(folder: Path) -> None:
    assert main(align(folder, "llada2-micro", 1, "lora-one")) == 0
    code, errors = finish(align(folder, "llada2-micro", 2, "lora-two"))
    assert code == 0, errors
    assert_alike(folder / "lora-one", folder / "lora-two")
    assert (alignment_of(folder / "lora-two") or {})["everywhere"] is True


@pytest.mark.long
def test_a_policy_of_two_processes_that_were_stopped_has_the_bytes_of_one_process(folder: Path) -> None:
    assert main(grpo(folder, 1, "policy-one")) == 0
    stopped = grpo(folder, 2, "policy-two")
    assert end_at(start(stopped), "update 2/3", signal.SIGTERM) == 128 + signal.SIGTERM
    code, errors = finish(stopped)
    assert code == 0, errors
    assert "update 1/3" not in errors
    assert log_of(folder / "policy-one") == log_of(folder / "policy-two")
    one, two = (load_file(folder / name / "policy.safetensors") for name in ("policy-one", "policy-two"))
    assert all(torch.equal(two[name], value) for name, value in one.items())


def test_an_error_of_the_ranks_is_shown_once(folder: Path) -> None:
    (folder / "empty.jsonl").write_text((folder / "data.jsonl").read_text().replace('"train"', '"probe"'))
    code, errors = finish(align(folder, "llada-micro", 2, "bad", data="empty.jsonl"))
    assert code == 2
    assert errors.count("no row of kind 'train'") == 1
    assert "Traceback" not in errors
    assert not (folder / "bad").exists()
