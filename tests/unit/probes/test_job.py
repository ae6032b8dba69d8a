"""`xpflow probe` on a shipped model: its three files agree with each other, and what is missing is told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

import xpflow
from xpflow.artifacts.io import read_jsonl
from xpflow.cli import main
from xpflow.planning.assumptions import Assumptions
from xpflow.planning.probes import Probing
from xpflow.planning.study import StudyPlan
from xpflow.study.config import load_study

SHIPPED = Path(xpflow.__file__).parent / "policies" / "shipped" / "micro.safetensors"
STUDY = {
    "study": {"name": "probed"},
    "problems": {"benchmarks": [{"name": "micropy-he", "limit": 3}]},
    "models": [{"name": "llada-micro-aligned", "training": "full"}],
    "evaluation": {"arms": [{"name": "mask", "decoder": "mask_prediction", "seeds": "first"}]},
    "grpo": {"model": "llada-micro-aligned", "weights": "base"},
    "grading": {"jail": "unsafe-local", "workers": 1},
    "probes": {
        "places": [{"name": "aligned", "model": "llada-micro-aligned"}],
        "t": [0.0, 1.0],
        "geometries": ["linear"],
        "snaps": 2,
        "snap_at": [0.0, 0.99],
        "limit": 2,
        "answers": "own",
        "policies": [{"name": "shipped", "policy": "shipped"}, {"name": "file", "train_budget": "1/4"}],
    },
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the study and its problems, and the probes' results in `out`."""
    folder = tmp_path_factory.mktemp("probes")
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY))
    shutil.copy(SHIPPED, folder / "policy.safetensors")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        export = "problems export micropy-he --split test --limit 3 --config study.yaml --out he.jsonl"
        assert main(export.split()) == 0
        assert main([*words(), "--policy", "file=policy.safetensors", "--out", "out"]) == 0
    return folder


def words() -> list[str]:
    given = "probe --config study.yaml --place aligned --benchmark micropy-he --problems he.jsonl"
    return given.split()


def rows(place: Path, name: str) -> list[dict[str, Any]]:
    return read_jsonl(place / "out" / f"{name}.jsonl")


def test_every_question_has_its_rows(place: Path) -> None:
    tasks = {f"MicroPy-HE/test/{number}" for number in range(2)}
    assert {
        row["task_id"] for name in ("validity", "recovery", "trajectory") for row in rows(place, name)
    } == tasks
    assert len(rows(place, "validity")) == 2 * 2 * 2
    assert len(rows(place, "recovery")) == 2 + 2 * 2 * 2 * 2
    assert len(rows(place, "trajectory")) == 2 * 2
    manifest = json.loads((place / "out" / "probe.manifest.json").read_text())
    assert manifest["stage"]["place"] == "aligned"
    assert any("policy.safetensors" in one["path"] for one in manifest["inputs"])


def test_the_last_snap_is_the_decode_and_a_policy_s_file_is_the_policy(place: Path) -> None:
    own = {(row["task_id"], row["policy"]): (row["passed"], row["nfe"]) for row in rows(place, "trajectory")}
    for row in rows(place, "recovery"):
        if row["at"] == 1.0:
            assert (row["passed"], row["nfe"]) == own[row["task_id"], row["policy"]]
            assert row["masks"] == 0
        if row["at"] == 0.5 and row["snap_at"] == 0.0:
            assert (row["masks"], row["nfe"]) == (0, 4)  # the early answer: nothing is left to finish
    same = [
        [{**row, "policy": ""} for row in rows(place, "trajectory") if row["policy"] == name]
        for name in own_names()
    ]
    assert same[0] == same[1]


def own_names() -> tuple[str, str]:
    return "shipped", "file"


def test_the_plan_counts_what_ran(place: Path) -> None:
    """Readings and programs exactly, forwards of decodes at most: what ran may end early."""
    found = StudyPlan(load_study(place / "study.yaml"), Assumptions()).stages()
    (stage,) = (one for one in found if isinstance(one, Probing))
    assert sum(one.forwards for one in stage.readings) == stage.jobs * len(rows(place, "validity"))
    recovery, followed = rows(place, "recovery"), rows(place, "trajectory")
    assert stage.programs == stage.jobs * len([*recovery, *followed])
    ran = sum(row["masks"] for row in recovery) + sum(row["nfe"] for row in followed)
    assert ran <= sum(one.forwards for one in stage.decodes)


def test_own_answers_are_what_is_read_back_at_1(place: Path) -> None:
    """Plain tokens of the answer that these weights gave themselves, read by weights that were aligned."""
    for row in rows(place, "validity"):
        if (row["t"], row["token"]) == (1.0, "oracle"):
            assert row["right"] == row["places"]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ([], "policy 'file' is trained, and no file was given"),
        (["--policy", "file"], "names no file"),
        (
            ["--policy", "file=policy.safetensors", "--policy", "x=policy.safetensors"],
            "'x' is not trained for",
        ),
        (["--policy", "file=policy.safetensors", "--checkpoint", "."], "base weights; a --checkpoint"),
        (["--seed", "3"], "probes no aligned on micropy-he with seed 3"),
    ],
)
def test_what_is_missing_or_too_much_is_told(
    place: Path,
    more: list[str],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(place)
    assert main([*words(), *more, "--out", "other"]) == 2
    assert told in capsys.readouterr().err
    assert not (place / "other").exists()
