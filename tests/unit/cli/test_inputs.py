"""No command reads a result that is not what its manifest says."""

from __future__ import annotations

from pathlib import Path

import pytest

from xpflow.artifacts.io import atomic_write_text, write_jsonl
from xpflow.artifacts.record import Record
from xpflow.cli import main
from xpflow.cli.inputs import as_listed
from xpflow.errors import ArtifactError


@pytest.fixture
def verdicts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = Path("verdicts.jsonl")
    rows = [{"task_id": f"t/{number}", "verdict": "passed", "mode": "strict"} for number in range(8)]
    write_jsonl(path, rows)
    Record("grade").write([path])
    return path


def test_an_altered_file_is_not_scored(verdicts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", "verdicts.jsonl"]) == 0
    capsys.readouterr()
    verdicts.write_text(verdicts.read_text().replace("passed", "wrong", 1))
    assert main(["score", "verdicts.jsonl"]) == 2
    assert "verdicts.jsonl is not the file that" in capsys.readouterr().err


def test_a_checkpoint_folder_counts_with_all_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("aligned")
    for name in ("config.json", "model.safetensors"):
        atomic_write_text(folder / name, name)
    Record("train").write([folder / "config.json", folder / "model.safetensors"], "train")
    assert as_listed("aligned") == "aligned"
    (folder / "model.safetensors").write_text("model.safetensorz")
    with pytest.raises(ArtifactError, match=r"model\.safetensors is not the file"):
        as_listed("aligned")
    for arguments in (["--model", "aligned"], ["--model=aligned"]):
        assert main(["decode", "--prompt", "aligned", *arguments]) == 2
        assert "model.safetensors is not the file" in capsys.readouterr().err


def test_a_value_that_names_no_file_passes(verdicts: Path) -> None:
    for value in (None, "x" * 5000, "a=b\0c", "", [Path("verdicts.jsonl"), Path("none")]):
        assert as_listed(value) == value


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("grade", ["--samples", "verdicts.jsonl", "--out", "v.jsonl"]),
        ("grade", ["--samples", "s.jsonl", "--out", "v.jsonl", "--problems=verdicts.jsonl"]),
        ("score", ["none.jsonl", "--samples", "verdicts.jsonl"]),
        ("problems", ["show", "micropy-he", "--file", "verdicts.jsonl"]),
        ("match", ["--arm", "x", "--checkpoint", "verdicts.jsonl"]),
        ("prompts", ["--file", "verdicts.jsonl"]),
    ],
)
def test_every_command_names_its_inputs(
    verdicts: Path, command: str, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    verdicts.write_text("altered")
    assert main([command, *arguments]) == 2
    assert "verdicts.jsonl is not the file that" in capsys.readouterr().err


def test_what_is_written_to_may_be_anything_and_words_that_are_file_names_are_no_inputs(
    verdicts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verdicts.write_text("to be written again")
    assert main(["decode", "--prompt", "verdicts.jsonl", "--out", "verdicts.jsonl", "--limit", "0"]) == 2
    assert "is not the file that" not in capsys.readouterr().err
