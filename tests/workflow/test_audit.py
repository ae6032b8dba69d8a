"""A finished study audits clean and replays; whatever is done to one of its files is named."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from xpflow.artifacts.audit import STATUSES
from xpflow.artifacts.manifest import ENDING
from xpflow.cli import main
from xpflow.evaluation.auditing import audit_study, draw_samples, replay

pytestmark = pytest.mark.slow
HARMS = int(os.environ.get("XPFLOW_HARMS", "60"))  # 1000 for the full test


@pytest.fixture(scope="module")
def study(finished: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the finished smoke study, in a folder of its own."""
    folder = tmp_path_factory.mktemp("audited")
    for name in ("results", "paper_figures"):
        shutil.copytree(finished.folder / name, folder / name)
    return folder


@pytest.fixture
def inside(study: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(study)
    return study


def bad(root: Path) -> dict[str, str]:
    """Return path and status of everything that is not good."""
    findings = audit_study(root / "results" / "smoke", root).findings
    return {one.path: one.status for one in findings if one.status != "good"}


def test_a_finished_study_is_good(inside: Path) -> None:
    assert bad(inside) == {}
    assert main(["audit", "results/smoke"]) == 0


def test_a_number_s_story_goes_back_to_the_training_data(
    inside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", "results/smoke", "--explain", "paper_figures/smoke/table1.csv"]) == 0
    told = capsys.readouterr().out
    for stage in (
        "tables",
        "merge",
        "grade",
        "evaluate",
        "align",
        "selfdata",
        "solvable",
        "grpo",
        "problems",
    ):
        assert f"xpflow {stage}" in told, stage
    assert "package/models/shipped/llada-micro/model.safetensors" in told


def test_twenty_random_samples_replay_token_for_token(inside: Path) -> None:
    results, study = inside / "results" / "smoke", audit_study(inside / "results" / "smoke", inside).study
    assert study is not None
    again = list(replay(study, results, draw_samples(results, 20, seed=1)))
    assert len(again) == 20
    assert all(one.same and one.verdicts[0] == one.verdicts[1] for one in again)


def test_manifests_name_no_place_and_no_person(inside: Path) -> None:
    manifests = list(inside.rglob(f"*{ENDING}"))
    assert len(manifests) > 30
    for path in manifests:
        text = path.read_text()
        assert str(inside) not in text
        assert str(Path.home()) not in text or str(Path.home()) == "/"
        assert os.uname().nodename not in text


def harm(root: Path, files: list[Path], draw: random.Random) -> set[Path]:
    """Do one thing to one file (or two); returns the files that differ afterwards."""
    kind = draw.choice(("flip", "cut", "swap", "edit", "delete", "add"))
    target = draw.choice([path for path in files if path.stat().st_size > 1])
    data = target.read_bytes()
    if kind == "flip":
        place = draw.randrange(len(data))
        target.write_bytes(data[:place] + bytes([data[place] ^ (1 << draw.randrange(8))]) + data[place + 1 :])
    elif kind == "cut":
        target.write_bytes(data[: draw.randrange(len(data))])
    elif kind == "swap":
        other = draw.choice([path for path in files if path.read_bytes() != data])
        target.write_bytes(other.read_bytes())
        other.write_bytes(data)
        return {target, other}
    elif kind == "edit":
        target = draw.choice([path for path in files if path.name.endswith(ENDING)])
        fields = json.loads(target.read_bytes())
        fields[draw.choice([key for key in fields if key != "schema"])] = draw.random()
        target.write_text(json.dumps(fields))
    elif kind == "delete":
        target.unlink()
    else:
        target = target.with_name(f"added-{draw.randrange(10**6)}.jsonl")
        target.write_text("{}\n")
    return {target}


@pytest.fixture
def whole(inside: Path) -> Iterator[Callable[[], None]]:
    """Return a function that puts everything back."""
    kept = {path: path.read_bytes() for path in inside.rglob("*") if path.is_file()}

    def put_back() -> None:
        for path in [path for path in inside.rglob("*") if path.is_file() and path not in kept]:
            path.unlink()
        for path, data in kept.items():
            if not path.exists() or path.read_bytes() != data:
                path.write_bytes(data)

    yield put_back
    put_back()


def test_every_harm_is_named(inside: Path, whole: Callable[[], None]) -> None:
    skipped = ("logs", "benchmarks")
    top = inside / "results" / "smoke"
    files = sorted(
        path
        for path in inside.rglob("*")
        if path.is_file() and not (path.is_relative_to(top) and path.relative_to(top).parts[0] in skipped)
    )
    for number in range(HARMS):
        changed = harm(inside, files, random.Random(number))
        found = bad(inside)
        assert found, (number, changed)
        for path in changed:
            lost = not path.exists() and path.name.endswith(
                ENDING
            )  # of a lost manifest the files are foreign
            name = path.relative_to(inside).as_posix()
            assert lost or found.get(name) in STATUSES, (number, name, found)
        whole()
    assert bad(inside) == {}
