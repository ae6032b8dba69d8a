"""Places that a machine may have: odd names of studies, a HOME that cannot be written to, apt's archives."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workflow import prepare_container

ROOT = Path(__file__).parents[2]
DEBIAN = "http://mirror.example/debian"


def test_a_studys_path_may_hold_blanks_quotes_dollars_and_braces(
    workflow_in: Callable[[str], Any], tiny_configs: dict[int, Path]
) -> None:
    workflow = workflow_in("quoted")
    study = workflow.folder / "it's $x {y}; touch gone.yaml"
    shutil.copy(tiny_configs[1], study)
    target = "results/tiny/problems/micropy-he.jsonl"
    done = workflow.run(target, config=study)
    assert done.returncode == 0, done.stdout
    assert (workflow.folder / target).is_file()
    assert (workflow.folder / "results/tiny/study.yaml").is_file()
    assert not (workflow.folder / "gone.yaml").exists()


def test_make_keeps_caches_beside_itself_where_home_cannot_be_written_to(tmp_path: Path) -> None:
    rule = tmp_path / "show.mk"
    rule.write_text(f"include {ROOT}/Makefile\nshow:\n\t@echo $$XDG_CACHE_HOME $$HF_HOME\n", encoding="utf-8")

    def shown(home: str) -> list[str]:
        kept = {key: value for key, value in os.environ.items() if key not in ("XDG_CACHE_HOME", "HF_HOME")}
        command = ["make", "-s", "-f", str(rule), "show"]
        environment = {**kept, "HOME": home}
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout.split()

    assert shown("/proc/nobody") == [str(tmp_path / ".cache"), "/proc/nobody/.cache/huggingface"]
    assert shown(str(tmp_path)) == []


def test_a_study_is_planned_with_a_home_that_cannot_be_written_to(
    workflow_in: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow = workflow_in("homeless")
    monkeypatch.setenv("HOME", "/proc/nobody")
    monkeypatch.setenv("XDG_CACHE_HOME", str(workflow.folder / ".cache"))  # as `make` does it
    done = workflow.run("-n")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("listed", "archive"),
    [
        (f"{DEBIAN}/ bookworm main\n{DEBIAN}/ bookworm-updates main\n", DEBIAN),
        ("https://mirror.example/apt/debian-main/ trixie main\n", "https://mirror.example/apt/debian-main"),
        (f"http://x/debian-security/ bookworm-security main\n{DEBIAN} stable main", DEBIAN),
        (f"{DEBIAN} bookworm contrib\nhttp://archive.ubuntu.com/ubuntu/ noble main\n", None),
        ("cdrom:[Debian]/ bookworm main\n", None),
        ("", None),
    ],
)
def test_the_debian_archive_is_one_that_apt_is_set_up_with(listed: str, archive: str | None) -> None:
    assert prepare_container.archive_in(listed) == archive


@pytest.mark.parametrize("script", ["exit 0", "exit 100", None])
def test_without_a_debian_archive_the_container_tests_say_so_and_ask_no_host_of_their_own(
    script: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if script is not None:
        (tmp_path / "apt-get").write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (tmp_path / "apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match=r"no Debian archive|apt-get does not work here"):
        prepare_container.main(tmp_path / "work")
    assert not (tmp_path / "work").exists()
