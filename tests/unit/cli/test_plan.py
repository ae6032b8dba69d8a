"""`xpflow plan` prints tables or JSON, says that a CPU study is one, and refuses what cannot fit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from xpflow.cli import EXIT_ERROR, main

MICRO = Path(__file__).parents[3] / "config" / "micro.yaml"
STUDY = """
models:
  - {name: llada-8b-instruct, training: full, protocol: llada-opencompass}
  - {name: llada2.0-mini, training: lora, protocol: llada2-chat}
problems: {benchmarks: [{name: humaneval, gen_length: 512}]}
selfdata: {benchmark: tulu3-personas, gen_length: 256}
solvable: {benchmark: mbpp, gen_length: 256}
grpo: {model: llada-8b-instruct, updates: 6000, train_budget: 1/1, rollout_shards: 8}
evaluation: {batch_size: 4}
runtime: {device: cuda, dtype: bfloat16, processes: %d, vocab_chunk: 512, activation_checkpointing: true}
"""


def write(tmp_path: Path, processes: int) -> str:
    file = tmp_path / "study.yaml"
    file.write_text(STUDY % processes)
    return str(file)


def test_the_tables_show_stages_gpus_disk_and_assumptions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", write(tmp_path, 8), "--gpus", "1,8"]) == 0
    out = capsys.readouterr().out
    assert "8,015,581,184" in out
    assert "| policy llada-8b-instruct " in out
    assert "DOES NOT FIT" in out  # alignment on one GPU
    for heading in (
        "h200: peak memory",
        "a100-80: peak memory",
        "Disk",
        "Assumptions",
        "prompt of humaneval",
    ):
        assert heading in out
    lines = [line for line in out.splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in lines)


def test_json_has_bytes_and_seconds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", write(tmp_path, 8), "--gpu", "h100", "--gpus", "8", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["models"]["llada2.0-mini"]["parameters"] == 16_255_643_392
    entries = values["gpus"]["h100"]["entries"]
    assert [entry["stage"] for entry in entries] == [stage["name"] for stage in values["stages"]]
    assert all(entry["memory_bytes"] == sum(entry["memory"].values()) for entry in entries)
    assert values["gpus"]["h100"]["would_fit"] == []


def test_a_study_that_cannot_fit_is_refused_after_its_tables(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", write(tmp_path, 1), "--gpu", "a100"]) == EXIT_ERROR
    found = capsys.readouterr()
    assert "DOES NOT FIT" in found.out
    assert "with runtime.processes 1 fits on no GPU of this plan" in found.err
    assert "a100-80: runtime.processes: " in found.err


def test_a_cpu_study_is_called_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(MICRO), "--cells"]) == 0
    out = capsys.readouterr().out
    assert "This is a CPU study" in out
    assert "llada-micro/micropy-he/mask-base/1/4/0" in out
    assert "h200" not in out


def test_bad_counts_are_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", write(tmp_path, 8), "--gpus", "some"]) == EXIT_ERROR
    assert "not numbers of GPUs" in capsys.readouterr().err
