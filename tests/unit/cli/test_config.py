"""`xpflow config`: what it prints is what the package would read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from xpflow.cli import main
from xpflow.study.config import StudyConfig, study_from_mapping

REPORT = "reporting: {baseline_arm: mask-base, flow_arm: mask-base, trace_arm: null}\n"


def test_show_fills_in_the_defaults(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("grpo: {updates: 7}\n", encoding="utf-8")
    assert main(["config", "show", str(file)]) == 0
    shown = study_from_mapping(yaml.safe_load(capsys.readouterr().out))
    assert shown.grpo.updates == 7
    assert shown.training == StudyConfig().training


def test_show_default_and_schema_write_files(tmp_path: Path) -> None:
    assert main(["config", "show", "--default", "--out", str(tmp_path / "a.yaml")]) == 0
    assert main(["config", "schema", "--out", str(tmp_path / "s.json")]) == 0
    assert yaml.safe_load((tmp_path / "a.yaml").read_text(encoding="utf-8"))["study"]["name"] == "micro"
    assert json.loads((tmp_path / "s.json").read_text(encoding="utf-8"))["additionalProperties"] is False


def test_check_says_how_large_a_study_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("study: {name: mine}\n", encoding="utf-8")
    assert main(["config", "check", str(file), "--no-decoders"]) == 0
    assert "valid; study mine" in capsys.readouterr().out


def test_check_lists_all_that_it_asked_and_writes_what_to_expect(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "mine.yaml"
    file.write_text("study: {name: mine}\ngrading: {jail: unsafe-local}\n", encoding="utf-8")
    assert main(["config", "check", str(file), "--times", "times"]) == 0
    lines = [line.split() for line in capsys.readouterr().err.splitlines() if line.startswith("  ok")]
    names = "configuration jail outputs device disk decoders stages training prompts time"
    assert [line[1] for line in lines] == names.split()
    assert json.loads((tmp_path / "times" / "expected.json").read_text())["seconds"]["train"] > 0


def test_check_goes_on_after_what_fails_and_says_every_cure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results").write_text("no folder")
    file = tmp_path / "mine.yaml"
    file.write_text("grading: {jail: unsafe-local}\nruntime: {device: 'cuda:99'}\n", encoding="utf-8")
    assert main(["config", "check", str(file)]) == 2
    err = capsys.readouterr().err
    assert [line.split()[1] for line in err.splitlines() if line.startswith("  FAILED")] == [
        "outputs",
        "device",
    ]
    assert "what to do: runtime.device: cpu needs none" in err
    assert "  ok     prompts" in err
    assert "checks failed: outputs, device" in err


def test_check_finds_a_setting_that_a_decoder_does_not_have(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("evaluation: {settings: {supress: mask}}\n", encoding="utf-8")
    assert main(["config", "check", str(file)]) == 2
    err = capsys.readouterr().err
    assert "evaluation.arms[mask-base]" in err
    assert "supress" in err


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("training: {runs: [{name: mine, settings: {kl_wieght: 1}}]}", "training.runs[mine]"),
        ("training: {runs: [{name: mine, settings: {kl_weight: -1}}]}", "training.runs[mine]"),
        ("training: {runs: [{name: mine, settings: {kl_weight: .nan}}]}", "kl_weight"),
        ("training: {runs: [{name: mine, objective: maskd}]}", "did you mean 'masked'"),
        ("training: {runs: [{name: mine, objective: ./absent.py:OBJECTIVE}]}", "training.runs[mine]"),
        ("pretrain: {objective: maskd}", "pretrain"),
    ],
)
def test_check_finds_a_run_whose_objective_would_refuse_it(
    text: str, where: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.yaml"
    arms = "evaluation: {arms: [{name: mask-base, decoder: mask_prediction}]}\n"
    file.write_text(f"{arms}{text}\ngrpo: {{weights: base}}\n{REPORT}", encoding="utf-8")
    assert main(["config", "check", str(file)]) == 2
    assert where in capsys.readouterr().err
