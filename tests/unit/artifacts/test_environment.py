"""Which source made an artifact: our own commit, whoever owns the checkout and whatever is set around us."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from xpflow.artifacts import environment
from xpflow.artifacts.audit import Scene, audit
from xpflow.artifacts.io import atomic_write_text
from xpflow.artifacts.record import Record
from xpflow.errors import ArtifactError


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=me", "-c", "user.email=me@example.org")
    done = subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def checkout(root: Path, text: str = "") -> tuple[Path, str]:
    """Return the package of a committed checkout, and the commit."""
    package = root / "src" / "xpflow"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(text)
    git(root, "init", "--quiet")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "-m", "all")
    return package, git(root, "rev-parse", "HEAD")


def test_the_commit_of_a_checkout_and_whether_it_changed(tmp_path: Path) -> None:
    package, commit = checkout(tmp_path)
    assert environment._git(package) == {"commit": commit, "changed": False}
    (package / "more.py").write_text("")
    assert environment._git(package) == {"commit": commit, "changed": True}


def test_new_files_count_where_git_is_told_not_to_list_them(tmp_path: Path) -> None:
    package, commit = checkout(tmp_path)
    git(tmp_path, "config", "status.showUntrackedFiles", "no")
    (package / "more.py").write_text("")
    assert environment._git(package) == {"commit": commit, "changed": True}


@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
def test_files_that_git_is_told_not_to_look_at_are_vouched_for_by_no_commit(
    tmp_path: Path, flag: str
) -> None:
    package, commit = checkout(tmp_path)
    git(tmp_path, "update-index", flag, "src/xpflow/__init__.py")
    (package / "__init__.py").write_text("another = 1\n")
    assert git(tmp_path, "status", "--porcelain") == ""
    assert environment._git(package) == {"commit": commit, "changed": True}


def test_without_git_a_checkout_in_a_larger_one_is_none_that_could_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package, _ = checkout(tmp_path / "vendor" / "xpflow")
    shutil.move(tmp_path / "vendor/xpflow/.git", tmp_path / ".git")
    installed = tmp_path / "venv/lib/python3/site-packages/xpflow"
    installed.mkdir(parents=True)
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert environment._git(package) == {"commit": None, "changed": True}
    assert environment._git(installed) is None


def test_source_that_git_is_told_to_ignore_counts(tmp_path: Path) -> None:
    package, commit = checkout(tmp_path)
    (tmp_path / ".git/info/exclude").write_text("*.pyc\nlocal*\n")
    (package / "new.pyc").write_text("")
    assert environment._git(package) == {"commit": commit, "changed": False}
    (package / "local").mkdir()
    (package / "local/more.py").write_text("")
    assert environment._git(package) == {"commit": commit, "changed": True}


def test_a_checkout_whose_git_looks_elsewhere_is_none_that_could_be_read(tmp_path: Path) -> None:
    package, _ = checkout(tmp_path / "ours")
    git(tmp_path / "ours", "config", "core.worktree", str(tmp_path))
    assert environment._git(package) == {"commit": None, "changed": True}


def test_detached_shallow_linked_and_inner_checkouts_have_their_own_commit(tmp_path: Path) -> None:
    package, first = checkout(tmp_path / "ours")
    (package / "__init__.py").write_text("2\n")
    git(tmp_path / "ours", "commit", "--quiet", "-am", "second")
    git(tmp_path / "ours", "worktree", "add", "--quiet", "--detach", "../linked", first)
    git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{tmp_path}/linked", "shallow")
    checkout(tmp_path / "outer")
    git(tmp_path / "outer", "clone", "--quiet", str(tmp_path / "linked"), "inner")
    for name in ("linked", "shallow", "outer/inner"):
        found = environment._git(tmp_path / name / "src/xpflow")
        assert found == {"commit": first, "changed": False}


@pytest.mark.parametrize("names", [("GIT_DIR",), ("GIT_DIR", "GIT_WORK_TREE"), ("GIT_INDEX_FILE",)])
def test_variables_that_name_another_repository_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]
) -> None:
    package, commit = checkout(tmp_path / "ours")
    _, other = checkout(tmp_path / "other", "1\n")
    values = {
        "GIT_DIR": tmp_path / "other/.git",
        "GIT_WORK_TREE": tmp_path / "other",
        "GIT_INDEX_FILE": tmp_path / "other/.git/index",
    }
    for name in names:
        monkeypatch.setenv(name, str(values[name]))
    assert commit != other
    assert environment._git(package) == {"commit": commit, "changed": False}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
def test_a_checkout_of_another_owner_is_read_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))  # no list of safe folders
    package, commit = checkout(tmp_path / "ours")
    for path in [tmp_path / "ours", *(tmp_path / "ours").rglob("*")]:
        shutil.chown(path, 12345, 12345)
    refused = subprocess.run(["git", "status"], cwd=package, capture_output=True, check=False)
    assert refused.returncode != 0
    assert environment._git(package) == {"commit": commit, "changed": False}


def test_a_checkout_that_git_cannot_read_is_not_called_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package, _ = checkout(tmp_path / "ours")
    (tmp_path / "ours/.git/HEAD").write_text("nonsense")
    facts = {"name": "xpflow", "version": "0", "git": environment._git(package)}
    assert facts["git"] == {"commit": None, "changed": True}
    monkeypatch.chdir(tmp_path)
    for module in ("record", "audit"):
        monkeypatch.setattr(f"xpflow.artifacts.{module}.package_facts", lambda: facts)
    file = Path("results/s/a.jsonl")
    atomic_write_text(file, "{}\n")
    Record("merge").write([file])
    findings = list(audit([Path("results/s")], Scene(Path())))
    assert {one.status for one in findings} == {"unpinned"}
    assert "git could not read" in findings[0].reason


def test_outside_of_a_checkout_there_is_no_commit(tmp_path: Path) -> None:
    package = tmp_path / "lib" / "site-packages" / "xpflow"
    package.mkdir(parents=True)
    assert environment._git(package) is None


def test_a_command_of_a_copied_environment_records_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first line starts the original's Python, which imports the original's source."""
    command = tmp_path / ".venv" / "bin" / "xpflow"
    command.parent.mkdir(parents=True)
    command.write_text(f"#!{sys.executable}\n")
    (tmp_path / ".venv" / "pyvenv.cfg").write_text("")
    monkeypatch.setattr(sys, "argv", [str(command), "merge"])
    with pytest.raises(ArtifactError, match=r"is a copy: its commands run the source of"):
        Record("merge")
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    Record("merge")
