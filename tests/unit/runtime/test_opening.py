"""Opening a model as the study says: precision, and a self-test that is never switched off silently."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from xpflow.errors import SelfTestError
from xpflow.models.checkpoint import save_checkpoint
from xpflow.models.load import load_model
from xpflow.models.registry import HUB_MODELS
from xpflow.models.untrained import new_model
from xpflow.runtime import models as opening
from xpflow.runtime.models import open_model
from xpflow.study.config.inputs import ModelChoice
from xpflow.study.config.machine import RuntimeBlock
from xpflow.study.config.root import StudyConfig


@pytest.fixture
def random(tmp_path: Path) -> str:
    """A folder with random weights."""
    model, tokenizer = load_model("llada-micro")
    save_checkpoint(new_model(model.config, 0), tokenizer, tmp_path / "random")
    return str(tmp_path / "random")


def study(
    directory: str | None, self_test: bool | None, name: str = "llada-micro", **runtime: str
) -> StudyConfig:
    choice = ModelChoice(name=name, directory=directory, self_test=self_test, training="full")
    other = ModelChoice(name="llada2-micro", training="lora")
    plain = StudyConfig().model_copy(update={"models": (choice, other)})
    return plain.model_copy(update={"runtime": RuntimeBlock(**runtime)})


def test_a_directory_is_tested_where_the_study_asks_for_it(random: str) -> None:
    open_model(study(random, None), random)
    open_model(study(random, True), "llada2-micro")
    with pytest.raises(SelfTestError, match="self_test: false"):
        open_model(study(random, True), random)


def test_published_models_are_tested_unless_it_is_switched_off_aloud(
    random: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded = load_model(random)
    monkeypatch.setattr(opening, "load_model", lambda *_: loaded)
    for repo in HUB_MODELS.values():
        for source in (repo.name, repo.hub_id):
            with pytest.raises(SelfTestError):
                open_model(study(None, None, repo.name), source)
    open_model(study(None, False, "llada2.0-mini"), "llada2.0-mini")
    assert "self-test of llada2.0-mini is off" in capsys.readouterr().err


def test_the_precision_is_the_study_s(random: str) -> None:
    model, _ = open_model(study(None, None, dtype="bfloat16"), "llada2-micro")
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}
    assert open_model(study(None, None), "llada2-micro")[0].dtype == torch.float32
