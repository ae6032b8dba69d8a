"""Studies with published models: fetched by one local rule, whose locks are inputs of what loads them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fakes.hub import FakeHub, serving
from xpflow.models.registry import GPT2_TOKENIZER, HUB_MODELS

ROOT = Path(__file__).parents[2]
REVISION = "0123456789abcdef0123456789abcdef01234567"
FAR = f"""
study: {{name: far}}
problems:
  benchmarks: [{{name: mbpp, limit: 2}}]
  sources: {{mbpp_revision: {REVISION}}}
models:
  - {{name: llada2.0-mini, training: lora}}
  - {{name: llada-8b-instruct, training: full}}
  - {{name: mdlm-owt, training: full}}
grpo: {{model: llada2.0-mini}}
evaluation:
  arms:
    - {{name: mask-base, decoder: mask_prediction, seeds: first}}
"""


@pytest.fixture
def far(tmp_path: Path) -> Path:
    (tmp_path / "far.yaml").write_text(FAR)
    return tmp_path / "far.yaml"


def test_locks_of_models_and_data_are_inputs_and_the_micro_study_has_none(
    far: Path, workflow_in: Callable[[str], Any]
) -> None:
    done = workflow_in("far").run("--dry-run", config=far)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("from the model hub, once") == 5  # data, three models, and the tokenizer of one
    models = (HUB_MODELS[name] for name in ("llada2.0-mini", "llada-8b-instruct", "mdlm-owt"))
    for repo in (*models, GPT2_TOKENIZER):
        assert f"Fetch {repo.name} at revision {repo.revision[:12]}" in done.stdout
    assert "model hub" not in workflow_in("near").run("--dry-run", config=ROOT / "config/micro.yaml").stdout


def test_the_rule_fetches_once_and_a_lock_that_is_there_must_be_met(
    far: Path, workflow_in: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow, lock = workflow_in("fetched"), f"results/hub/mbpp@{REVISION[:12]}.json"
    repo = {"datasets/google-research-datasets/mbpp": {REVISION: {"full/test-0.parquet": b"bytes"}}}
    with serving(FakeHub(repo)) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_HOME", str(workflow.folder / "hf"))
        done = workflow.run(lock, config=far)
        assert done.returncode == 0, done.stdout
        fields = json.loads((workflow.folder / lock).read_text())
        fields["files"][0]["sha256"] = "0" * 64
        (workflow.folder / lock).write_text(json.dumps(fields))
        done = workflow.run(lock, "--forcerun", "fetch", config=far)
        assert done.returncode == 1
        assert "full/test-0.parquet: is not" in done.stdout
        assert hub.sent == ["full/test-0.parquet"]
    assert json.loads((workflow.folder / lock).read_text()) == fields


def test_personas_without_a_revision_stop_the_study_before_any_job(
    tmp_path: Path, workflow_in: Callable[[str], Any]
) -> None:
    (tmp_path / "mine.yaml").write_text("selfdata: {benchmark: tulu3-personas}\n")
    done = workflow_in("personas").run("--dry-run", config=tmp_path / "mine.yaml")
    assert done.returncode == 1
    assert "problems.sources.tulu3_personas_revision is missing" in done.stdout
