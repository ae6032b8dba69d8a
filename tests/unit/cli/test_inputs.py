"""No command reads a result that is not what its manifest says."""

from __future__ import annotations

from pathlib import Path

import pytest

from xpflow.artifacts.io import atomic_write_text, write_jsonl
from xpflow.artifacts.record import Record
from xpflow.cli import main
from xpflow.cli.inputs import check_inputs
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
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("aligned")
    for name in ("config.json", "model.safetensors"):
        atomic_write_text(folder / name, name)
    Record("train").write([folder / "config.json", folder / "model.safetensors"], "train")
    check_inputs("decode", ["--model", "aligned"])
    (folder / "model.safetensors").write_text("model.safetensorz")
    for arguments in (["--model", "aligned"], ["--model=aligned"]):
        with pytest.raises(ArtifactError, match=r"model\.safetensors is not the file"):
            check_inputs("decode", arguments)


def test_what_is_written_to_may_be_anything(verdicts: Path) -> None:
    verdicts.write_text("to be written anew")
    check_inputs("grade", ["--out", "verdicts.jsonl"])
    check_inputs("grade", ["--out=verdicts.jsonl"])
    check_inputs("decode", ["--prompt", "x" * 5000, "--set", "a=b\0c", "--prompt", ""])
    with pytest.raises(ArtifactError):
        check_inputs("grade", ["--samples", "verdicts.jsonl"])


def test_the_audit_itself_looks_at_altered_files(verdicts: Path) -> None:
    verdicts.write_text("altered")
    check_inputs("audit", ["verdicts.jsonl"])
