"""`xpflow pack`, `unpack`, `export`: what is named wrongly, or was changed, makes no archive and no crate."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from xpflow.artifacts.io import atomic_write_text
from xpflow.artifacts.record import Record
from xpflow.cli import EXIT_ERROR, main

WEIGHTS = Path("results/s/m/runs/model.safetensors")
NAMES = [
    "PACK.json",
    "paper_figures/s/table1.md",
    "paper_figures/s/table1.md.manifest.json",
    "results/s/m/runs/model.safetensors.manifest.json",
    "results/s/study.yaml",
    "results/s/study.yaml.manifest.json",
]


@pytest.fixture(autouse=True)
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "from"
    root.mkdir()
    monkeypatch.chdir(root)
    for file, text in (
        (Path("results/s/study.yaml"), "study: {name: s}\n"),
        (WEIGHTS, "weights"),
        (Path("paper_figures/s/table1.md"), "| 1 |\n"),
    ):
        atomic_write_text(file, text)
        Record("tables").write([file])
    (root / "Snakefile").write_text("")
    return root


@pytest.mark.parametrize(("folder", "name"), [("", "results/s"), ("results", "s"), ("results/s", ".")])
def test_a_pack_is_the_same_from_wherever_it_is_made(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, name: str
) -> None:
    monkeypatch.chdir(study / folder)
    assert main(["pack", name, "--out", str(tmp_path / "a.tar.xz")]) == 0
    with tarfile.open(tmp_path / "a.tar.xz") as archive:
        assert archive.getnames() == NAMES


@pytest.mark.parametrize("name", ["results/nosuch", "results", "results/s/m", "results/s/study.yaml", "."])
def test_what_is_no_study_s_folder_is_neither_packed_nor_exported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    for command in ("pack", "export"):
        assert main([command, name, "--out", str(tmp_path / "out")]) == EXIT_ERROR
        assert "results/<study>" in capsys.readouterr().err
        assert not (tmp_path / "out").exists()


def test_an_empty_study_is_not_packed(tmp_path: Path) -> None:
    Path("results/t").mkdir()
    assert main(["pack", "results/t", "--out", str(tmp_path / "out")]) == EXIT_ERROR
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("file", [str(WEIGHTS), "paper_figures/s/table1.md"])
@pytest.mark.parametrize("command", ["pack", "export"])
def test_a_changed_file_makes_no_archive_and_no_crate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, file: str
) -> None:
    data = Path(file).read_bytes()
    Path(file).write_bytes(bytes([data[0] ^ 1]) + data[1:])
    assert main([command, "results/s", "--out", str(tmp_path / "out")]) == EXIT_ERROR
    said = capsys.readouterr().err
    assert file in said
    assert "xpflow audit results/s" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["pack", "export"])
def test_what_no_manifest_speaks_of_is_said_and_no_obstacle(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    Path("results/s/notes.txt").write_text("mine")
    Path("results/s/m/other.safetensors").write_text("weights of nobody")
    assert main([command, "results/s", "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().err
    assert said.startswith("warning: no manifest lists results/s/m/other.safetensors, results/s/notes.txt\n")


def test_a_place_that_is_taken_is_an_error_and_no_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("x")
    assert main(["pack", "results/s", "--out", str(tmp_path / "folder")]) == EXIT_ERROR
    assert main(["pack", "results/s", "--out", str(tmp_path / "a.tar.xz")]) == 0
    assert main(["unpack", str(tmp_path / "a.tar.xz"), "--into", str(tmp_path / "file")]) == EXIT_ERROR
    assert "no folder" in capsys.readouterr().err
    assert main(["unpack", str(tmp_path / "a.tar.xz"), "--into", str(tmp_path / "new")]) == 0
