"""Kind 5: what a stage would refuse, `config check` refuses; outputs are tried before the work."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

MASK = {"name": "mask", "decoder": "mask_prediction", "seeds": "first"}
FLOW = {"name": "flow", "decoder": "flow", "policy": "confidence:8", "seeds": "first"}
OWN = {"name": "flow", "decoder": "flow", "policy": "trained"}
LLADA = {"name": "llada-micro", "training": "full"}
LLADA2 = {"name": "llada2-micro", "training": "lora"}


def arms(*found: dict[str, Any]) -> dict[str, Any]:
    return {"evaluation": {"arms": list(found)}}


INF = float("inf")
# A study and what the error must name.
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "block length": (
        {"models": [{**LLADA2, "block_length": 12}], "grpo": {"model": "llada2-micro"}},
        "block_length",
    ),
    "budget on blocks": (
        {"models": [LLADA2], "grpo": {"model": "llada2-micro"}, **arms({**MASK, "budgets": ["1/32"]})},
        "1/32",
    ),
    "benchmark": ({"problems": {"benchmarks": [{"name": "micropie"}]}}, "micropie"),
    "missing policy": (arms({**FLOW, "policy": "nosuch.safetensors"}), "nosuch.safetensors"),
    "policy without a number": (arms({**FLOW, "policy": "confidence:eight"}), "confidence:eight"),
    "cache": ({"models": [LLADA], **arms({**MASK, "settings": {"kv_cache": "on"}})}, "cache"),
    "solvable's budget": ({"solvable": {"budget": "1/5"}, **arms(OWN)}, "solvable"),
    "grpo's budget": ({"grpo": {"train_budget": "1/3"}, **arms(OWN)}, "grpo.train_budget"),
    "prompts": ({"selfdata": {"prompts": 999_999}}, "selfdata"),
    "device": ({"runtime": {"device": "cuda:x"}}, "runtime.device"),
    "seeds": ({"study": {"seeds": [-1]}}, "study.seeds"),
    "positions": (
        {
            "problems": {"benchmarks": [{"name": "humaneval", "limit": 2, "gen_length": 480}]},
            "models": [LLADA],
            **arms(MASK),
        },
        "512 positions",
    ),
    "learning rate": ({"training": {"full": {"learning_rate": INF}}}, "learning_rate"),
    "re-edit margin": (arms({**FLOW, "settings": {"reedit_margin": INF}}), "reedit_margin"),
    "CPU limit": ({"grading": {"cpu_s": INF}}, "cpu_s"),
    "wall limit": ({"grading": {"wall_s": INF}}, "wall_s"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_study_that_cannot_run_is_not_called_valid(place: Any, name: str) -> None:
    blocks, named = WRONG[name]
    place.run("config", "check", place.study(**blocks)).refused("study.yaml", named)


@pytest.mark.parametrize(
    ("arm", "note"),
    [({**MASK, "budgets": ["1/1"]}, "aligned"), ({**MASK, "budgets": ["1/4"]}, "budget 1/1")],
    ids=["no aligned arm", "no full budget"],
)
def test_what_a_report_will_lack_is_said(place: Any, arm: dict[str, Any], note: str) -> None:
    assert note in place.run("config", "check", place.study(**arms(arm))).passed().said


def test_a_jail_that_does_not_work_is_found_before_the_first_job(place: Any) -> None:
    (place / "bwrap").write_text("#!/bin/sh\nexit 1\n")
    (place / "bwrap").chmod(0o755)
    path = f"{place.folder}:{os.environ['PATH']}"
    study = place.study(grading={"jail": "bwrap"})
    broken = {"PATH": path, "XPFLOW_BWRAP": str(place / "bwrap")}  # the second: not the packaged one instead
    place.run("config", "check", study, **broken).refused("grading.jail", "bwrap")


PLACES = ("folder", "file/x", "/proc/x/y", "/dev/null")


@pytest.mark.parametrize("target", PLACES)
def test_samples_that_cannot_be_written_are_refused_before_the_work(
    place: Any, decode: tuple[str, ...], target: str
) -> None:
    """Before: the model that it would take is not even there."""
    (place / "folder").mkdir()
    (place / "file").write_text("")
    done = place.run(*decode, "--model", "nosuch", "--out", target)
    done.refused(target.split("/x")[0])
    assert "nosuch" not in done.said
    assert (place / "folder").is_dir()
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize("target", ["t.txt", "folder", "file/x.npz"])
def test_a_trace_that_cannot_be_written_is_refused_before_the_work(
    place: Any, decode: tuple[str, ...], target: str
) -> None:
    (place / "folder").mkdir()
    (place / "file").write_text("")
    done = place.run(*decode, "--model", "nosuch", "--out", "s.jsonl", "--trace", target)
    assert "nosuch" not in done.refused(target.split("/x")[0])


@pytest.mark.parametrize("target", ["folder", "file/x"])
def test_verdicts_that_cannot_be_written_are_refused_before_the_work(place: Any, target: str) -> None:
    (place / "folder").mkdir()
    (place / "file").write_text("")
    place.rows("s.jsonl", {"task_id": "HumanEval/0", "completion": "    while True: pass\n"})
    done = place.run("grade", "--benchmark", "humaneval", "--samples", "s.jsonl", "--out", target)
    done.refused(target.split("/x")[0])
    assert "grading:" not in done.said
