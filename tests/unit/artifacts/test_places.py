"""The root of a study is told by names alone: what the nearest folder `results` lies in."""

from __future__ import annotations

from pathlib import Path

import pytest

from xpflow.artifacts.places import relative, root_of


@pytest.mark.parametrize(
    "path",
    [
        "results",
        "results/smoke",
        "results/smoke/",
        "./results/smoke/llada-micro/..",
        "results/smoke/llada-micro/runs/paper",
        "elsewhere/../results/smoke",
    ],
)
@pytest.mark.parametrize("absolute", [False, True])
def test_it_is_above_the_folder_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, absolute: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    found = root_of(tmp_path / path if absolute else Path(path))
    assert found == tmp_path
    if absolute:
        monkeypatch.chdir("/")
        assert root_of(tmp_path / path) == tmp_path


def test_it_is_found_from_within_the_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "results/smoke/logs"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    assert root_of(Path(".")) == root_of(Path("..")) == root_of(Path("../..")) == tmp_path


def test_the_way_that_the_user_came_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system tells a working directory by where links lead, the shell by how one came there."""
    (tmp_path / "disk/smoke").mkdir(parents=True)
    (tmp_path / "results").symlink_to(tmp_path / "disk")
    monkeypatch.chdir(tmp_path / "disk/smoke")
    assert root_of(Path(".")) == tmp_path / "disk/smoke"
    monkeypatch.setenv("PWD", str(tmp_path / "results/smoke"))
    assert root_of(Path(".")) == tmp_path
    for wrong in ("", "results", "/", str(tmp_path / "nothing")):
        monkeypatch.setenv("PWD", wrong)
        assert root_of(Path(".")) == tmp_path / "disk/smoke"


def test_the_nearest_results_wins(tmp_path: Path) -> None:
    assert root_of(tmp_path / "results/checkout/results/smoke") == tmp_path / "results/checkout"


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "disk/smoke").mkdir(parents=True)
    (tmp_path / "results").symlink_to(tmp_path / "disk")
    assert root_of(tmp_path / "results/smoke") == tmp_path


def test_without_results_it_is_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert root_of(Path("/nowhere/at/all")) == tmp_path
    assert relative(tmp_path / "a/b", tmp_path) == "a/b"
