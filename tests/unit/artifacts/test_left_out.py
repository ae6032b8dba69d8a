"""A note excuses what a pack leaves, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from xpflow.artifacts.canonical import canonical, digest
from xpflow.artifacts.left_out import NOTE, absent, may_be_left, read_note
from xpflow.errors import ArtifactError


@pytest.mark.parametrize(
    "path",
    [
        "results/s/m/runs/paper/seed0/model.safetensors",
        "results/s/policy/seed0/policy.safetensors",
        "results/s/m/selfdata/seed0.jsonl",
        "results/s/trace.npz",
        "results/s/m/runs/paper/seed0.state",
        "results/s/m/runs/paper/seed0.state.shards/update-50/__0_0.distcp",
        "results/s/m/runs/paper/seed0.state.shards/update-50/.metadata",
        "results/s/logs/align.log",
        "results/s/m/parts/b/base/seed0/1-of-2/samples.jsonl",
        "config/s.yaml",
        "s.yaml",
        "results/s.yaml",
    ],
)
def test_what_a_pack_leaves_may_be_left(path: str) -> None:
    assert may_be_left(path)
    assert may_be_left(path, "s")


@pytest.mark.parametrize(
    "path",
    [
        "results/s/study.yaml",
        "results/s/m/eval/b/arm/1-4/seed0/samples.jsonl",
        "results/s/m/eval/b/arm/1-4/seed0/verdicts.jsonl",
        "results/s/m/eval/b/selfdata/1-4/seed0/samples.jsonl",
        "results/s/m/runs/paper/seed0/model.safetensors.manifest.json",
        "results/s/m/selfdata/seed0.jsonl.manifest.json",
        "results/s/selfdata",
        "results/s/logs",
        "results/s/left-out.json",
        "paper_figures/s/table1.csv",
        "results",
        "paper_figures",
        "package/models/shipped/llada-micro/model.safetensors",
        "outside/model.safetensors",
        "",
        ".",
        "/etc/model.pt",
        "../model.pt",
        "results/s/logs/../study.yaml",
        "results/s/./trace.npz",
        "results/s/a\nb.npz",
    ],
)
def test_what_a_pack_takes_and_what_no_list_may_hold_may_not(path: str) -> None:
    assert not may_be_left(path)
    assert not may_be_left(path, "s")


def test_of_another_study_s_folder_everything_stays() -> None:
    assert may_be_left("results/pretrain/m/checkpoint/config.json", "s")
    assert not may_be_left("results/pretrain/m/checkpoint/config.json")
    assert not may_be_left("results/s", "s")


def noted(folder: Path, rows: Any) -> Path:
    """Write a note with a digest that fits, as someone might by hand."""
    folder.mkdir(parents=True, exist_ok=True)
    fields = {"schema": 1, "left_out": rows}
    (folder / NOTE).write_bytes(canonical({**fields, "digest": digest(fields)}) + b"\n")
    return folder


def row(path: Any) -> dict[str, Any]:
    return {"path": path, "sha256": "0" * 64, "size": 1}


@pytest.mark.parametrize(
    "path",
    [
        "results/s/m/eval/samples.jsonl",
        "paper_figures/s/table1.csv",
        "package/cli/audit.py",
        "/etc/passwd",
        "config/" + "n" * 300,
        "config/a\0b",
        ["config"],
        "",
    ],
)
def test_a_note_of_what_no_pack_leaves_is_refused(tmp_path: Path, path: Any) -> None:
    folder = noted(tmp_path / "results/s", [row("results/s/trace.npz"), row(path)])
    with pytest.raises(ArtifactError):
        absent(folder, tmp_path)


@pytest.mark.parametrize("rows", [7, "x", None, {"a": 1}, [7], [{"path": "config/s.yaml"}]])
def test_a_note_of_another_shape_is_refused(tmp_path: Path, rows: Any) -> None:
    with pytest.raises(ArtifactError):
        read_note(noted(tmp_path / "results/s", rows))


@pytest.mark.parametrize("data", [b"", b"[]", b"[" * 100_000, b"\xff", b'{"left_out": [], "digest": NaN}'])
def test_a_note_that_is_no_json_object_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / NOTE).write_bytes(data)
    with pytest.raises(ArtifactError):
        read_note(tmp_path)


def test_a_note_is_of_its_study_wherever_it_is_called_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = noted(tmp_path / "results/s", [row("results/hub/m.json"), row("results/s/trace.npz")])
    monkeypatch.chdir(folder)
    assert read_note(Path()) == read_note(folder)
    assert absent(Path(), tmp_path).keys() == {"results/hub/m.json", "results/s/trace.npz"}
