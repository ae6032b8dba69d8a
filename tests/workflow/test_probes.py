"""A study of probes alone: planned rule by rule, and, where asked for, run to its tables and figures."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xpflow.artifacts.io import read_jsonl
from xpflow.auditing.study_audit import audit_study
from xpflow.study.config import load_study
from xpflow.study.layout import Layout
from xpflow.study.probes import policy_trainings, probe_jobs
from xpflow.study.stages import figure_names, probe_files, probe_table_names

TINY = """
study: {name: tiny-probes, seeds: [0]}
problems:
  benchmarks:
    - {name: micropy-he, limit: 2}
    - {name: known, source: micropy-he, split: validation, limit: 2}
models: [{name: llada-micro, training: full}]
selfdata: {prompts: 4, budget: 1/8, heldout: 4}
training: {runs: [{name: paper}], full: {updates: 2, batch_size: 4}, warmup_updates: 1, log_every: 1}
solvable: {limit: 4}
grpo:
  {model: llada-micro, weights: base, updates: 1, prompts_per_update: 2, group_size: 2, warm_start: null}
evaluation:
  budgets: [1/4]
  arms: [{name: mask, decoder: mask_prediction, seeds: first, benchmarks: [micropy-he]}]
reporting: {bootstrap_samples: 200, figure_formats: [png]}
probes:
  places: [{name: base, model: llada-micro}, {name: paper, model: llada-micro, weights: paper}]
  limit: 2
  t: [0.0, 1.0]
  geometries: [linear]
  snaps: 2
  passes: 1
  draws: 2
  policies: [{name: shipped, policy: shipped}, {name: own, train_budget: 1/4}]
  preregistration:
    - {id: reads, text: More is read., measure: read_oracle, at: 1.0, place_a: paper, place_b: base}
  noisy:
    readers: [{name: base-ids, place: base}, {name: paper-ids, place: paper}]
    validation: {micropy-he: known}
    kinds: [uniform]
    shares: [0.5]
    context: [0.0]
    ratios: [0.1, 1.0]
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("configs") / "probes.yaml"
    path.write_text(TINY)
    return path


@pytest.mark.slow
def test_a_dry_run_has_every_rule_of_the_probes_between_weights_and_tables(
    workflow_in: Callable[[str], Any], config: Path
) -> None:
    study, done = load_study(config), workflow_in("probes-dry").run("--dry-run", config=config)
    assert done.returncode == 0, done.stdout[-6000:]
    table = done.stdout.rsplit("Job stats:", 1)[1]
    found = {name: int(number) for name, number in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}
    assert found["probe"] == len(probe_jobs(study)) == 2
    assert found["train_probe_policy"] == len(policy_trainings(study)) == 1
    assert found["filter_solvable"] == found["train"] == found["tables"] == found["figures"] == 1
    assert "train_policy" not in found, "no arm asks for a policy"
    for place in ("base", "paper"):
        assert f"Probe llada-micro, {place}, on micropy-he, seed 0" in done.stdout
    assert "rollouts of T/N = 1-4, seed 0" in done.stdout


@pytest.mark.slow
@pytest.mark.long
def test_probes_run_from_weights_to_tables_and_figures(
    workflow_in: Callable[[str], Any], config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow, study, layout = workflow_in("probes"), load_study(config), Layout.of("tiny-probes")
    done = workflow.run(config=config)
    assert done.returncode == 0, done.stdout[-6000:]
    monkeypatch.chdir(workflow.folder)
    files = probe_files(study, layout)
    assert {file.name for file in files} >= {
        "validity.jsonl",
        "recovery.jsonl",
        "likelihood.jsonl",
        "noisy.jsonl",
    }
    assert all(read_jsonl(file) for file in files)
    shown = workflow.folder / "paper_figures" / "tiny-probes"
    for name in probe_table_names(study):
        text = (shown / f"{name}.md").read_text()
        assert text.count("\n|") > 2, f"{name} has no row"
    drawn = [name for name in figure_names(study) if name.startswith(("probes_", "noisy"))]
    assert len(drawn) == 3
    assert all((shown / f"{name}.png").stat().st_size > 10_000 for name in drawn)
    findings = audit_study(layout.results.absolute(), workflow.folder).findings
    assert {one.status for one in findings} == {"good"}
    assert "Nothing to be done" in workflow.run(config=config).stdout
