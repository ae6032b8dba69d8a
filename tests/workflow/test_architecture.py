"""The worked example of docs/architecture.md, word for word: one file, and it is a decoder everywhere."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from xpflow.artifacts.manifest import ENDING
from xpflow.cli import main
from xpflow.decoding.trace import load_traces
from xpflow.reporting.from_config import plan_from_config
from xpflow.reporting.plots.sweep import arm_looks
from xpflow.study.config import load_study
from xpflow.traces.replay import check

pytestmark = pytest.mark.slow
PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"
DECODER = "./my_decoder.py:MyDecoder"
STUDY = f"""
study: {{name: example}}
problems: {{benchmarks: [{{name: micropy-he, limit: 4}}]}}
models: [{{name: llada-micro, training: full}}]
evaluation:
  budgets: [1/2]
  arms:
    - {{name: mask, decoder: mask_prediction, seeds: first}}
    - {{name: margin, decoder: '{DECODER}', settings: {{margin: 0.3}}, seeds: first}}
reporting: {{bootstrap_samples: 200, figure_formats: [png], trace_arm: margin}}
"""


@pytest.fixture(scope="module")
def study(workflow_in: Callable[[str], Any]) -> Path:
    """Return the folder of a study with the example as one of two arms, run to its end."""
    workflow = workflow_in("example")
    [code] = re.findall(r'^```python title="my_decoder.py"\n(.*?)^```$', PAGE.read_text(), re.M | re.S)
    (workflow.folder / "my_decoder.py").write_text(code)
    (workflow.folder / "example.yaml").write_text(STUDY)
    done = workflow.run(config="example.yaml")
    assert done.returncode == 0, done.stdout[-6000:]
    folder: Path = workflow.folder
    return folder


@pytest.fixture
def inside(study: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(study)
    return study


def test_tables_have_it_under_its_own_label_with_what_it_solved(inside: Path) -> None:
    table = pd.read_csv("paper_figures/example/table1.csv", comment="#").set_index("arm")
    assert table.loc["margin", "answers"] == 4
    assert 1.0 <= table.loc["margin", "mean_nfe"] < table.loc["mask", "mean_nfe"] == 16.0
    assert "| margin 0.3 | base |" in Path("paper_figures/example/table1.md").read_text()


def test_figures_give_it_a_colour_and_a_mark_that_no_other_decoder_has(inside: Path) -> None:
    plan = plan_from_config(load_study("example.yaml"))
    looks = arm_looks(plan, plan.arms)
    assert looks["margin"]["color"] != looks["mask"]["color"]
    assert looks["margin"]["marker"] != looks["mask"]["marker"]
    drawn = {path.name for path in Path("paper_figures/example").glob("*.png")}
    assert {"sweep_nfe.png", "trace.png"} <= drawn


def test_its_trace_replays(inside: Path) -> None:
    [trace] = load_traces("results/example/trace.npz")
    assert trace.steps > 1
    check(trace)


def test_manifests_name_its_code_and_an_edit_runs_again_what_it_decoded(inside: Path) -> None:
    manifest = json.loads(Path(f"results/example/trace.npz{ENDING}").read_text())
    assert f"decoder:{DECODER}" in manifest["facts"]["plugins"]
    assert audited("stale") == []
    file = Path("my_decoder.py")
    before = file.read_text()
    file.write_text(before.replace("lead_BM >=", "lead_BM >"))
    try:
        assert "results/example/trace.npz" in audited("stale")
        assert not [path for path in audited("stale") if "problems/" in path]
    finally:
        file.write_text(before)


def audited(status: str) -> list[str]:
    main(["audit", "results/example", "--json", "audit.json"])
    findings = json.loads(Path("audit.json").read_text())["findings"]
    return [one["path"] for one in findings if one["status"] == status]


def test_match_turns_its_knob_until_the_mean_nfe_is_the_one_wanted(
    inside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--decoder", DECODER, "--model", "llada-micro", "--budget", "1/4", "--limit", "8"]
    assert main(["match", *options, "--config", "example.yaml"]) == 0
    [(margin, nfe)] = re.findall(r"^margin ([\d.]+): mean NFE ([\d.]+) of 32", capsys.readouterr().out, re.M)
    assert 0.0 < float(margin) < 1.0
    assert float(nfe) == pytest.approx(8.0, abs=0.5)


def test_help_lists_its_settings_with_their_meaning(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decoders", DECODER]) == 0
    told = capsys.readouterr().out
    assert "  margin = 0.5\n      Lead in probability that commits a token" in told
    assert "commit every token whose best guess leads" in told
