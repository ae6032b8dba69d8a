"""What an audit of a study compares with: its settings, the file that they come from, where it ran."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from xpflow.artifacts.io import atomic_write_text
from xpflow.auditing.study_audit import audit_study
from xpflow.cli import main
from xpflow.cli.recording import stage_record
from xpflow.study.config import load_study

CONFIG = """
extends: above.yaml
study: {name: s}
models: [{name: llada-micro, directory: ckpt, training: full}]
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study of a checkpoint of its own, with one table; everything else that it would have is missing."""
    monkeypatch.chdir(tmp_path)
    atomic_write_text("above.yaml", "selfdata: {prompts: 4}\n")
    atomic_write_text("s.yaml", CONFIG)
    atomic_write_text("ckpt/config.json", "{}")
    assert main(["config", "show", "s.yaml", "--out", "results/s/study.yaml"]) == 0
    atomic_write_text("paper_figures/s/table1.md", "1\n")
    stage_record(load_study(Path("s.yaml")), "tables").write([Path("paper_figures/s/table1.md")], "tables")
    return tmp_path


def bad(root: Path) -> dict[str, str]:
    """Return the reasons by path of what is neither good nor missing (nor made by source under work)."""
    findings = audit_study(root / "results/s", root).findings
    return {one.path: one.reason for one in findings if one.status not in ("good", "missing", "unpinned")}


def test_settings_are_compared_where_the_study_ran(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bad(root) == {}
    monkeypatch.chdir("/")
    assert bad(root) == {}
    (root / "ckpt/config.json").write_text('{"other": 1}')
    os.utime(root / "ckpt/config.json", (0, 0))
    assert "settings for `xpflow tables`" in bad(root)["paper_figures/s/table1.md"]


def test_settings_of_weights_that_are_not_there_are_not_compared(root: Path) -> None:
    (root / "ckpt").rename(root / "elsewhere")
    assert bad(root) == {}


def test_a_remark_is_no_change_and_what_a_study_extends_is_its_own(root: Path) -> None:
    with (root / "s.yaml").open("a") as file:
        file.write("# a remark\n")
    assert bad(root) == {}
    atomic_write_text(root / "above.yaml", "selfdata: {prompts: 5}\n")
    assert "gives another study now" in bad(root)["results/s/study.yaml"]
    (root / "above.yaml").unlink()
    assert "gives no study now" in bad(root)["results/s/study.yaml"]
    (root / "s.yaml").unlink()
    assert "s.yaml is not there" in bad(root)["results/s/study.yaml"]


def test_figures_are_missed(root: Path) -> None:
    missing = {one.path for one in audit_study(root / "results/s", root).findings if one.status == "missing"}
    assert {"paper_figures/s/figure_2a.png", "results/s/trace.npz", "paper_figures/s/table1.csv"} <= missing
