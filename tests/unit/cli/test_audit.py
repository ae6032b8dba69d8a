"""`xpflow audit` from the command line: names of files cannot forge a line, and the root is found."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from xpflow.artifacts.audit import STATUSES
from xpflow.cli import main

FORGED = b"z\n115 good\x1b[1A"


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A folder of results with a file of an ordinary name, whose configuration cannot be read."""
    folder = tmp_path / "results" / "odd"
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "a.txt").write_text("1")
    return folder


@pytest.mark.parametrize("name", [FORGED, b"\xff", b"a\rb", "\u202e\u2028".encode()])
def test_a_file_s_name_stays_on_its_line(study: Path, tmp_path: Path, name: bytes) -> None:
    (study / "model" / "a.txt").unlink()
    Path(os.fsdecode(os.fsencode(study) + b"/model/" + name)).write_text("1")
    command = [sys.executable, "-m", "xpflow.cli", "audit", str(study / "model"), "--json", "all.json"]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert done.returncode >= STATUSES["foreign"], done.stderr.decode()
    lines = [line for line in done.stdout.decode().splitlines() if line.startswith("foreign ")]
    assert len(lines) == 1
    assert "results/odd/model/" in lines[0]
    assert lines[0].isprintable()
    assert not [line for line in done.stdout.decode().split("\n") if line.startswith("115 good")]
    text = (tmp_path / "all.json").read_bytes().decode("ascii")
    paths = [one["path"] for one in json.loads(text)["findings"] if one["status"] == "foreign"]
    assert len(paths) == 1
    assert paths[0].encode("utf-8")  # no half of a pair in it


def test_a_listing_goes_to_an_output_that_holds_ascii_only(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (study / "model" / "ä\x07.txt").write_text("1")
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="strict")
    monkeypatch.setattr(sys, "stdout", out)
    assert main(["audit", str(study / "model")]) >= STATUSES["foreign"]
    out.flush()
    assert rb"model/\xe4\u2426.txt" in out.buffer.getvalue()


@pytest.mark.parametrize(
    ("place", "path"),
    [
        (".", "results/odd"),
        ("/", "{top}/results/odd"),
        ("results/odd", "."),
        ("results/odd/model", ".."),
        (".", "results/odd/model/.."),
        ("results", "odd"),
    ],
)
def test_paths_are_told_from_the_root_wherever_the_command_runs(
    study: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    place: str,
    path: str,
) -> None:
    monkeypatch.chdir(tmp_path / place)
    main(["audit", path.format(top=tmp_path)])
    said = capsys.readouterr().out
    assert "foreign       results/odd/model/a.txt" in said
    assert "missing       results/odd/study.yaml" in said


def test_a_root_that_is_given_wins(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    main(["audit", "results/odd", "--root", "results"])
    assert "foreign       odd/model/a.txt" in capsys.readouterr().out


def test_the_help_says_what_the_root_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "--help"]) == 0
    assert "nearest folder" in " ".join(capsys.readouterr().out.split())
