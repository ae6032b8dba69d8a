"""The fingerprint of code: the same under every Python, changed by code and by nothing else."""

from __future__ import annotations

import ast
import hashlib
import subprocess
from pathlib import Path

import pytest

from xpflow.artifacts import history
from xpflow.artifacts.code import (
    RECORDING,
    canonical_tree,
    code_fingerprint,
    covered,
    module_file,
    same_rule,
)

SOURCE = '''"""Words."""
from __future__ import annotations
import os
async def f(a: int, /, *b, c=1.5, **d) -> "str":
    """Words."""
    match a:
        case {"x": [1, *_], **rest} | None:
            return f"{a!r:>{c}}{b} and {d[...]}" f"{a}" "end" u"kind", b"\\xff"
    x = lambda: (yield)
    try:
        pass
    except* ValueError as error:
        raise error from None
class C:
    """Words."""
    y: float = 1e300j
'''


def test_a_tree_is_written_the_same_by_every_python() -> None:
    """The digits were found by CPython 3.11.7, 3.12.1 and 3.13.0, which agree."""
    text = canonical_tree(ast.parse(SOURCE))
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "bb35cc63b5fb3026"


@pytest.mark.parametrize(
    "other",
    [
        SOURCE.replace("Words.", "Others."),
        SOURCE.replace('    """Words."""\n', ""),
        SOURCE.replace("    pass", "    # a remark\n        pass"),
        SOURCE.replace("(a: int, /,", "(\n    a: int,\n    /,"),
    ],
)
def test_words_and_layout_are_no_code(other: str) -> None:
    assert other != SOURCE
    assert canonical_tree(ast.parse(other)) == canonical_tree(ast.parse(SOURCE))


@pytest.mark.parametrize(("old", "new"), [("1.5", "1.25"), ("!r", "!s"), ("    pass", "    x"), ("/, ", "")])
def test_code_is_code(old: str, new: str) -> None:
    assert SOURCE.count(old) == 1
    assert canonical_tree(ast.parse(SOURCE.replace(old, new))) != canonical_tree(ast.parse(SOURCE))


def test_what_only_notes_is_no_code_behind_a_result() -> None:
    found = covered("train")
    assert {"xpflow.cli.train", "xpflow.artifacts.io"} < found
    assert not found & set(RECORDING)
    assert all(module_file(name) for name in RECORDING), "the list names modules that there are"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package whose command `grade` uses one module."""
    package = tmp_path / "src" / "xpflow"
    (package / "cli").mkdir(parents=True)
    for path in ("__init__.py", "cli/__init__.py"):
        (package / path).write_text("")
    (package / "cli" / "grade.py").write_text("from xpflow.judge import judge\n")
    (package / "judge.py").write_text("def judge(x): return x\n")
    return package


def committed(package: Path) -> str:
    """Commit a package to a new repository; returns the commit."""
    who = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    for words in (("init", "-q"), ("add", "."), ("commit", "-qm", "x"), ("rev-parse", "HEAD")):
        done = subprocess.run(
            ["git", *who, *words], cwd=package.parent, check=True, capture_output=True, text=True
        )
    return done.stdout.strip()


def test_an_older_fingerprint_is_compared_by_its_commit(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "PACKAGE", package)
    monkeypatch.setattr(
        history,
        "code_fingerprint",
        lambda name, plugins=(), package=package: code_fingerprint(name, plugins, package),
    )
    git = {"git": {"commit": committed(package), "changed": False}}
    assert history.changed_code("grade", "0123456789ab", git) == ""
    (package / "judge.py").write_text("def judge(x): return not x\n")
    assert "changed since commit" in history.changed_code("grade", "0123456789ab", git)
    assert history.changed_code("grade", code_fingerprint("grade", package=package), git) == ""
    assert "no commit to compare" in history.changed_code("grade", "0123456789ab", {"git": None})
    assert "no commit" in history.changed_code(
        "grade", "0123456789ab", {"git": {**git["git"], "changed": True}}
    )
    unknown = {"git": {"commit": "1" * 40, "changed": False}}
    assert "fetch commit" in history.changed_code("grade", "0123456789ab", unknown)
    assert "no such command" in history.changed_code("judge", "0123456789ab", git)


@pytest.mark.parametrize("commit", ["--output=x", "HEAD", "", "1" * 39, "main:src"])
def test_only_a_whole_commit_is_asked_for(commit: str) -> None:
    assert history.fingerprint_at(commit, "grade") is None


def test_digits_of_another_rule_are_known_as_such() -> None:
    assert same_rule(code_fingerprint("grade"))
    assert not same_rule("0123456789ab")
