"""Asking a cluster before the first job, with stand-ins for its commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from xpflow.errors import ConfigError, XpflowError
from xpflow.slurm import COMMANDS, check_cluster

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "workflow" / "profiles" / "slurm" / "partitions.yaml"


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Commands of a cluster with two partitions, one account and no accounting; the only ones on the PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    scripts = {
        "sinfo": "echo cpu; echo gpu",
        "sacct": "echo Slurm accounting storage is disabled >&2; exit 1",
        "sbatch": 'case "$*" in *=wrong*) echo Invalid account >&2; exit 1;; esac; echo "$*" >> asked',
    }
    for name in {*COMMANDS, *scripts}:
        (folder / name).write_text(f"#!/bin/sh\n{scripts.get(name, '')}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


def test_every_partition_is_asked_and_those_with_gpus_for_one_if_the_study_wants_it(commands: Path) -> None:
    lines = list(check_cluster(SHIPPED, account="mine", gpu=True))
    assert lines[0] == "SLURM answers: 2 partitions"
    asked = (commands.parent / "asked").read_text().splitlines()
    assert asked == [
        "--test-only --partition=cpu --account=mine --time=1 --wrap=true",
        "--test-only --partition=gpu --account=mine --gpus=1 --time=1 --wrap=true",
    ]


def test_without_a_file_the_default_partition_is_asked(commands: Path) -> None:
    assert list(check_cluster())[-1] == "it would take a job: default partition"


@pytest.mark.parametrize(
    ("partitions", "options", "said"),
    [
        ("gpv: {}", {}, "did you mean 'gpu'"),
        ("cpu: {max_gpu: 0}", {"gpu": True}, "no partition with GPUs"),
        ("cpu: {}", {"account": "wrong"}, "Invalid account"),
        ("cpu: {}", {"status_command": "sacct"}, "slurm-status-command: squeue"),
        ("", {}, "names no partition"),
    ],
)
def test_what_would_be_refused_is_said_beforehand(
    partitions: str, options: dict[str, str], said: str, commands: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine.yaml").write_text(f"partitions:\n  {partitions}\n")
    with pytest.raises(XpflowError, match=said):
        list(check_cluster(tmp_path / "mine.yaml", **options))  # type: ignore[arg-type]


def test_a_machine_without_slurm_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(XpflowError, match="no SLURM here: sbatch"):
        list(check_cluster(SHIPPED))


def test_a_file_that_is_not_there_is_named(commands: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml"):
        list(check_cluster(Path("nowhere.yaml")))
