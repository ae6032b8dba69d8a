"""`make` sets up its own whole environment: one that was left half made, or copied, does not count."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with what `make` reads, and an environment that it once finished."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in ("requirements.lock", "pyproject.toml", "Makefile"):
        shutil.copy(ROOT / name, folder)
    command(folder, "python", "#!/bin/sh\nexit 0\n")
    command(folder, "xpflow", f"#!{folder}/.venv/bin/python\n")
    (folder / ".venv" / ".run").touch()
    return folder


def command(folder: Path, name: str, text: str) -> None:
    path = folder / ".venv" / "bin" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def planned(folder: Path) -> str:
    """Return what `make` would do for an environment to run in."""
    words = ["make", "-n", "PYTHON=python3.11", ".venv/.run"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, check=True
    ).stdout


def test_an_environment_of_its_own_stays(checkout: Path) -> None:
    assert "is up to date" in planned(checkout)


def test_one_without_pip_was_left_half_made(checkout: Path) -> None:
    command(checkout, "python", "#!/bin/sh\necho No module named pip; exit 1\n")
    assert "python3.11 workflow/setup/environment.py .venv" in planned(checkout)
    (checkout / ".venv" / ".run").unlink()
    assert "python3.11 workflow/setup/environment.py .venv" in planned(checkout)


def test_one_that_came_with_a_copied_checkout_is_made_again(checkout: Path, tmp_path: Path) -> None:
    shutil.copytree(checkout, tmp_path / "copy")
    plan = planned(tmp_path / "copy")
    assert "python3.11 workflow/setup/environment.py .venv --clear" in plan
    assert "pip install --quiet --no-deps -e ." in plan
    assert "it is made again" in plan


def test_one_that_is_a_link_stays_for_it_was_put_there(checkout: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(checkout, copy, ignore=shutil.ignore_patterns(".venv"))
    (copy / ".venv").symlink_to(checkout / ".venv")
    assert "is up to date" in planned(copy)
