"""A study of models of small languages alone: trained, coupled, trained on that; nothing to do; audited."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from xpflow.artifacts.manifest import manifest_of
from xpflow.auditing.study_audit import audit_study
from xpflow.study.config import load_study
from xpflow.study.layout import Layout
from xpflow.study.stages import stage_fingerprint

TINY = """
study: {name: tiny-text}
models: []
problems: {benchmarks: []}
evaluation: {arms: []}
text:
  worlds: [agreement-2-3]
  updates: 4
  batch_size: 8
  width: 16
  layers: 1
  heads: 2
  steps: [1, 2]
  samples: 16
  test: 32
  curve: 1
  runs:
    - {name: noise, objective: infinite_mask, settings: {width: 4}}
    - name: redi
      from: noise
      objective: infinite_mask
      settings: {width: 4}
      couplings: {count: 8, steps: 4}
      continue_noise: true
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("configs") / "tiny.yaml"
    path.write_text(TINY)
    return path


@pytest.fixture(scope="module")
def trained(workflow_in: Callable[[str], Any], config: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The study up to its models, run once and watched; the machine has no jail, and nobody asks for one."""
    workflow = replace(workflow_in("text"), watched=tmp_path_factory.mktemp("watched"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XPFLOW_BWRAP", "/no/such/bwrap")
        done = workflow.run("text", config=config)
    assert done.returncode == 0, done.stdout[-6000:]
    return workflow


def test_runs_read_what_they_start_from_and_everything_is_good(
    trained: Any, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trained.folder)
    study, layout = load_study(config), Layout.of("tiny-text")
    place = ("agreement-2-3", "redi", 0)
    listed = manifest_of(layout.text_scores(*place))
    assert listed is not None
    manifest = listed[2]
    start = ("agreement-2-3", "noise", 0)
    pairs = layout.couplings(*start, 8, 4)
    read = {one.path: one.manifest for one in manifest.inputs}
    assert {
        pairs.as_posix(),
        layout.text_extra(*start).as_posix(),
        (layout.text_checkpoint(*start) / "model.safetensors").as_posix(),
    } <= {path for path, digest in read.items() if digest}
    assert manifest.config["fingerprint"] == stage_fingerprint(study, manifest.stage)
    assert json.loads(layout.text_scores(*place).read_text())["world"] == "agreement-2-3"
    assert not list(layout.results.rglob("*.state"))
    log = (layout.logs / "train_text" / "agreement-2-3.redi.seed0.log").read_text()
    assert "agreement-2-3 update 4/4 " in log, "what the display reads"
    found = audit_study(layout.results.absolute(), trained.folder).findings
    own = [one for one in found if "paper_figures" not in one.path]
    assert {one.status for one in own} == {"good"}


def test_no_stage_ran_code_that_its_fingerprint_does_not_cover(
    trained: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trained.folder)
    found = trained.uncovered()
    assert found.keys() == {"config", "text-train", "text-couple"}
    commands = ("text", "text_train", "text_couple", "text_pack", "text_samples", "inputs")
    group = {f"xpflow.cli.{name}" for name in commands}
    assert not set().union(*found.values()) - group, "the group's other commands are loaded, and do not run"


def test_a_second_run_does_nothing_and_a_changed_run_trains_again_what_starts_from_it(
    trained: Any, config: Path, tmp_path: Path
) -> None:
    assert "Nothing to be done" in trained.run("text", config=config).stdout
    changed = tmp_path / "changed.yaml"
    changed.write_text(TINY.replace("count: 8", "count: 9"))
    said = trained.run("text", "--dry-run", config=changed).stdout
    assert "run redi" in said
    assert "run noise, seed 0" in said, "couplings"
    assert "from nothing, run noise" not in said


def test_the_audit_finds_harm_to_a_checkpoint(trained: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trained.folder)
    layout = Layout.of("tiny-text")
    weights = layout.text_checkpoint("agreement-2-3", "noise", 0) / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + b"?")
    try:
        findings = audit_study(layout.results.absolute(), trained.folder).findings
    finally:
        weights.write_bytes(whole)
    found = {one.path: one.status for one in findings}
    assert found[weights.as_posix()] == "altered"
    pairs = layout.couplings("agreement-2-3", "noise", 0, 8, 4).as_posix()
    assert found[pairs] != "good", "what was made from it is told of too"
