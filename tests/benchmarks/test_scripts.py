"""The GPU scripts run at micro size on a CPU, and their result files hold what they promise; no times."""

from __future__ import annotations

import json
import math
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from xpflow.grading.jails import JAILS

FOLDER = Path(__file__).parents[2] / "benchmarks"
MODELS = ("llada-micro", "llada2-micro")
SMALL = [
    "--device",
    "cpu",
    "--dtype",
    "float32",
    "--prompt-tokens",
    "20",
    "--gen-length",
    "32",
    "--repeats",
    "1",
]
needs_bwrap = pytest.mark.skipif(JAILS["bwrap"].why_not() is not None, reason="bwrap does not work here")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that runs a script with some options and returns its result file."""
    monkeypatch.syspath_prepend(str(FOLDER))

    def run_script(script: str, model: str, *options: str) -> dict[str, Any]:
        out = tmp_path / "result.json"
        monkeypatch.setattr(sys, "argv", [script, "--model", model, *SMALL, *options, "--out", str(out)])
        with torch.random.fork_rng():
            runpy.run_path(str(FOLDER / script), run_name="__main__")
        found = json.loads(out.read_text())
        check_frame(found, script, model)
        return found["results"]

    return run_script


def check_frame(found: dict[str, Any], script: str, model: str) -> None:
    assert list(found) == [
        "schema", "benchmark", "model", "parameters", "weights", "device", "dtype", "options",
        "counts_for_targets", "hardware", "versions", "measured_rates", "results", "targets",
    ]  # fmt: skip
    assert (found["benchmark"], found["model"]) == (script.removesuffix(".py"), model)
    assert (found["schema"], found["weights"], found["counts_for_targets"]) == (1, "random", False)
    assert found["parameters"] > 1e6
    assert {"torch", "transformers", "python", "xpflow"} <= set(found["versions"])
    assert {"cpu", "cores", "torch_threads"} <= set(found["hardware"])
    assert all(rate > 0 for rate in found["measured_rates"].values())
    assert all(target["met"] is None for target in found["targets"])  # targets are for a GPU at full shape


@pytest.mark.parametrize("model", MODELS)
def test_decode_step(run: Any, model: str) -> None:
    results = run("decode_step.py", model, "--budget", "1/4", "--batches", "1,3")
    for decoder in ("mask_prediction", "flow"):
        rows = results[decoder]["batches"]
        assert [row["batch"] for row in rows] == [1, 3]
        assert results[decoder]["best_batch"] in (1, 3)
        for row in rows:
            assert 0 < row["forward_seconds"] < row["step_seconds"]
            assert 0 < row["outside_forward_share"] < 1
            assert row["steps"] >= 8
            assert row["times_floor"] == pytest.approx(row["step_seconds"] / row["floor_step_seconds"])
    assert results["plain_loop"]["identical"] is True


@pytest.mark.parametrize(("model", "kind"), [("llada-micro", "full"), ("llada2-micro", "lora")])
def test_align_step(run: Any, model: str, kind: str) -> None:
    results = run("align_step.py", model, "--steps", "2", "--batch-size", "2", "--kl-weight", "0.3")
    assert (results["kind"], results["steps"]) == (kind, 2)
    assert 0 < results["step_seconds"] <= results["step_seconds_median"]
    assert results["model_flop_share"] > 0
    assert results["planned_peak_bytes"] > 0
    assert results["peak_bytes"] is None  # a CPU's memory is not measured


@needs_bwrap
@pytest.mark.parametrize("model", MODELS)
def test_grpo_update(run: Any, model: str) -> None:
    results = run("grpo_update.py", model, "--prompts", "2", "--group-size", "2", "--budget", "1/4")
    assert set(results["seconds"]) == {"forwards", "decoding_around_them", "grading", "learning"}
    assert math.isclose(sum(results["shares"].values()), 1.0, rel_tol=1e-9)
    assert all(seconds > 0 for seconds in results["seconds"].values())
    assert (results["rows"], results["jail"]) == (4, "bwrap")
    assert 8 <= results["nfe_per_rollout"] <= results["forwards"]


@pytest.mark.parametrize("script", ["decode_step.py", "align_step.py", "grpo_update.py"])
def test_help_explains_the_options(script: str, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setattr(sys, "argv", [script, "--help"])
    with pytest.raises(SystemExit):
        runpy.run_path(str(FOLDER / script), run_name="__main__")
    assert "--gen-length" in capsys.readouterr().out


def test_committed_results_are_from_a_gpu_at_full_shape() -> None:
    for file in (FOLDER / "results").glob("*.json"):
        found = json.loads(file.read_text())
        assert found["device"].startswith("cuda"), f"{file.name} is no GPU result"
        assert "gpu" in found["hardware"]
