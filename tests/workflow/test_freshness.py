"""What the workflow does with results that it did not make in this folder: it goes by their content."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xpflow.auditing.study_audit import audit_study

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
UPDATES = ("updates: 4, ", "updates: 5, ")
BUDGET = ("budgets: [1/4]", "budgets: [1/4, 1/2]")
BOOTSTRAP = ("bootstrap_samples: 200", "bootstrap_samples: 210")
REPORT = {"tables": 1, "figures": 1, "report": 1}
AGAIN = {"decode_shard": 1, "grade_shard": 1, "merge_paper": 1, "trace": 1, **REPORT}
ALL = {**AGAIN, "decode_shard": 2, "grade_shard": 2, "merge_base": 1}


@pytest.fixture
def copied(tiny: Any, workflow_in: Callable[[str], Any]) -> Any:
    """The results of the smallest study in a fresh clone, where Snakemake remembers nothing."""
    workflow = workflow_in("copied")
    for name in ("results", "paper_figures"):
        shutil.copytree(tiny.folder / name, workflow.folder / name)
    return workflow


def config(workflow: Any, tiny_configs: dict[int, Path], *changes: tuple[str, str]) -> Path:
    text = tiny_configs[1].read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path: Path = workflow.folder / "tiny.yaml"
    path.write_text(text)
    return path


def jobs(output: str) -> dict[str, int]:
    """Return how many jobs of each rule a dry run would run, `all` and the sum left out."""
    if "Nothing to be done" in output:
        return {}
    table = output.rsplit("Job stats:", 1)[1]
    found = {name: int(number) for name, number in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}
    return {name: number for name, number in found.items() if name not in ("all", "total")}


def ran(workflow: Any, words: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command of a workflow that was changed."""
    options: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "check": False}
    return subprocess.run(words, cwd=workflow.folder, env=workflow.environment, **options)


@pytest.mark.parametrize("remembered", [False, True])
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([], {}),
        ([UPDATES], {"train": 1, **AGAIN}),
        ([BUDGET], ALL),
        ([UPDATES, BUDGET], {"train": 1, **ALL}),
        ([BOOTSTRAP], REPORT),
    ],
)
def test_a_changed_setting_runs_the_same_jobs_whatever_snakemake_remembers(
    copied: Any,
    tiny: Any,
    tiny_configs: dict[int, Path],
    changes: list[tuple[str, str]],
    expected: dict[str, int],
    remembered: bool,
) -> None:
    if remembered:
        shutil.copytree(tiny.folder / ".snakemake", copied.folder / ".snakemake")
    done = copied.run("--dry-run", config=config(copied, tiny_configs, *changes))
    assert done.returncode == 0, done.stdout
    assert jobs(done.stdout) == expected
    assert ("out of date: " in done.stdout) == bool(changes)


def test_without_a_profile_it_is_the_same(copied: Any, tiny_configs: dict[int, Path]) -> None:
    words = copied.command("--dry-run", "--cores", "1", config=config(copied, tiny_configs))
    del words[(place := words.index("--profile")) : place + 2]
    assert jobs(ran(copied, words).stdout) == {}


def test_touched_files_are_no_reason_to_run_and_no_hindrance(
    copied: Any, tiny_configs: dict[int, Path]
) -> None:
    files = sorted(path for path in copied.folder.rglob("*") if path.is_file())
    for number, path in enumerate(reversed(files)):
        os.utime(path, (1 << 31, 1 << 31) if number % 3 else (number, number))
    assert jobs(copied.run("--dry-run", config=config(copied, tiny_configs)).stdout) == {}
    output = copied.run("--dry-run", config=config(copied, tiny_configs, UPDATES)).stdout
    assert jobs(output) == {"train": 1, **AGAIN}


def test_weights_that_are_gone_are_trained_again_with_what_they_decoded(
    copied: Any, tiny_configs: dict[int, Path]
) -> None:
    (copied.folder / "results/tiny/llada-micro/runs/paper/seed0/model.safetensors").unlink()
    output = copied.run("--dry-run", config=config(copied, tiny_configs)).stdout
    assert jobs(output) == {"train": 1, **AGAIN}


def test_what_ran_again_is_up_to_date_and_audits_clean(
    copied: Any, tiny_configs: dict[int, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = config(copied, tiny_configs, BOOTSTRAP)
    done = copied.run(config=changed)
    assert done.returncode == 0, done.stdout[-6000:]
    assert "on its own answers" not in done.stdout  # what trains a run
    assert jobs(copied.run("--dry-run", config=changed).stdout) == {}
    monkeypatch.chdir(copied.folder)
    found = audit_study(Path("results/tiny"), Path()).findings
    assert {one.status for one in found} <= {"good", "unpinned"}


def test_the_workflow_of_a_copied_checkout_does_not_run_the_original_s_source(
    tmp_path: Path, copied: Any, tiny_configs: dict[int, Path]
) -> None:
    """Its environment came with it, and imports the source of the place that it was made in."""
    checkout = tmp_path / "checkout"
    for name in ("src", "workflow", "containers"):
        ignored = shutil.ignore_patterns("__pycache__", "*.safetensors")
        shutil.copytree(ROOT / name, checkout / name, ignore=ignored)
    shutil.copy(ROOT / "Snakefile", checkout)
    (checkout / "src/xpflow/budget.py").write_text("raise SystemExit\n")
    words = copied.command("--dry-run", config=config(copied, tiny_configs))
    words[words.index("--snakefile") + 1] = str(checkout / "Snakefile")
    done = ran(copied, words)
    assert done.returncode == 1
    assert "the installed xpflow is another" in done.stdout
    assert "Traceback" not in done.stdout
