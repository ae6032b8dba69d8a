"""A finished study audits clean and replays; whatever is done to one of its files is named."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from xpflow.artifacts.audit import STATUSES
from xpflow.artifacts.environment import package_facts
from xpflow.artifacts.manifest import ENDING, FileRecord, read_manifest, write_manifest
from xpflow.auditing.cells import explain_cell, parse_cell
from xpflow.auditing.draw import DeviceClass, draw_samples
from xpflow.auditing.replay import replay, report
from xpflow.auditing.study_audit import audit_study
from xpflow.cli import main

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
    """Return path and status of all that is not good; `unpinned` is good while the checkout has changes."""
    findings = audit_study(root / "results" / "smoke", root).findings
    fine = {"good", "unpinned"} if (package_facts()["git"] or {}).get("changed") else {"good"}
    return {one.path: one.status for one in findings if one.status not in fine}


def test_a_finished_study_is_good(inside: Path) -> None:
    assert bad(inside) == {}
    assert main(["audit", "results/smoke"]) in {0, STATUSES["unpinned"]}


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
        "train",
        "selfdata",
        "solvable",
        "grpo",
        "problems",
    ):
        assert f"xpflow {stage}" in told, stage
    assert "from package/models/shipped/llada-micro/: chat_template.jinja" in told
    assert "template: " in told
    assert "xpflow merge model=llada-micro benchmark=micropy-he arm=flow-trained budget=1-4 seed=0" in told


CELL = "llada-micro,micropy-he,flow-trained,1/4"


def test_a_cell_s_story_counts_its_verdicts_anew(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "results/smoke", "--explain", f"{CELL},MicroPy-HE/test/0"]) == 0
    told = capsys.readouterr().out
    verdicts = inside / "results/smoke/llada-micro/eval/micropy-he/flow-trained/1-4/seed0/verdicts.jsonl"
    passed = verdicts.read_text().count('"verdict": "passed"')
    assert f"table1.csv says: {passed} of 4 passed" in told
    assert f"counted again: {passed} of 4 passed" in told
    assert "decoder flow, policy trained: " in told
    assert "commit_below=" in told
    assert "seed0, MicroPy-HE/test/0: " in told
    for stage in ("grade", "evaluate", "train", "selfdata", "solvable", "grpo", "problems"):
        assert f"xpflow {stage}" in told, stage
    assert "Every file that was compared (" in told
    assert "table1.csv, table2.csv say what the verdicts do." in told


def test_a_cell_that_no_longer_fits_says_where(inside: Path, whole: Callable[[], None]) -> None:
    results, figures = inside / "results" / "smoke", inside / "paper_figures" / "smoke"
    study = audit_study(results, inside).study
    assert study is not None
    cell = parse_cell(CELL, study)
    assert explain_cell(study, results, figures, cell, inside).issues == ()

    base = results / "llada-micro/runs/paper/seed0/model.safetensors"
    base.write_bytes(base.read_bytes()[:-1] + b"?")
    [why] = explain_cell(study, results, figures, cell, inside).issues
    assert "evaluate" in why
    assert "model.safetensors changed" in why
    table = str(figures.relative_to(inside) / "table1.csv")
    assert main(["audit", "results/smoke", "--explain", table]) == STATUSES["altered"]
    whole()

    (inside / "results/smoke/llada-micro/selfdata/seed0.jsonl").unlink()
    found = explain_cell(study, results, figures, cell, inside).issues
    assert found
    assert all("selfdata/seed0.jsonl is not there" in why for why in found)
    whole()

    # A forger who writes another number and seals the tables' manifest anew is contradicted by the count.
    table = figures / "table1.csv"
    row = next(line for line in table.read_text().splitlines() if line.startswith(CELL))
    passes = int(row.split(",")[4])
    forged = row.replace(f"{CELL},{passes},", f"{CELL},{passes + 1},")
    table.write_text(table.read_text().replace(row, forged))
    path = figures / f"tables{ENDING}"
    manifest = read_manifest(path)
    files = tuple(FileRecord.of(figures / one.path, one.path) for one in manifest.files)
    write_manifest(path, dataclasses.replace(manifest, files=files))
    [why] = explain_cell(study, results, figures, cell, inside).issues
    assert why.startswith(f"table1.csv says {passes + 1} of 4 passed")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("llada-micro,micropy-he,flow-trianed,1/4", "did you mean 'llada-micro,micropy-he,flow-trained,1/4'"),
        ("llada-micro,micropy-he,flow-trained,5/4", "at most 1"),
        ("table7.csv", "neither a file nor a cell"),
        (f"{CELL},MicroPy-HE/test/99", "has no problem"),
    ],
)
def test_what_is_no_cell_is_an_error_that_helps(
    inside: Path, text: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", "results/smoke", "--explain", text]) == 2
    assert said in capsys.readouterr().err


def test_twenty_random_samples_replay_token_for_token(inside: Path) -> None:
    results, study = inside / "results" / "smoke", audit_study(inside / "results" / "smoke", inside).study
    assert study is not None
    again = list(replay(study, results, draw_samples(study, results, 20, seed=1).chosen))
    assert len(again) == 20
    assert not any(one.differs or one.failed for one in again)
    assert report(again, DeviceClass.here(study)) == (
        True,
        ["replayed 20 samples: 20 the same in tokens, NFE, answer and verdict"],
    )


def test_another_precision_is_another_device_class(inside: Path) -> None:
    results, study = inside / "results" / "smoke", audit_study(inside / "results" / "smoke", inside).study
    assert study is not None
    coarse = study.model_copy(update={"runtime": study.runtime.model_copy(update={"dtype": "bfloat16"})})
    again = list(replay(coarse, results, draw_samples(coarse, results, 4, seed=1).chosen))
    fine, lines = report(again, DeviceClass.here(coarse))
    assert fine
    told = "\n".join(lines)
    assert "made on cpu" in told
    assert "float32" in told
    assert "bfloat16" in told
    assert "verdicts flipped in" in told
    assert "another NFE in" in told


def test_a_pack_is_audited_explained_and_replayed_elsewhere(
    inside: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = tmp_path / "smoke.tar.xz"
    assert main(["pack", "results/smoke", "--out", str(archive)]) == 0
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert main(["unpack", str(archive)]) == 0
    here = tmp_path / "elsewhere"
    assert set(bad(here).values()) == {"left out"}
    assert {Path(path).suffix for path in bad(here)} == {".safetensors", ".jsonl", ".npz"}
    assert {Path(path).parent.name for path in bad(here) if path.endswith(".jsonl")} == {"selfdata"}

    capsys.readouterr()
    assert main(["audit", "results/smoke", "--explain", CELL]) == 0
    out = capsys.readouterr().out
    assert "Every file that was compared (" in out
    assert "left out of the pack, known by hash only" in out
    assert main(["audit", "results/smoke", "--replay", "3"]) in {0, STATUSES["unpinned"]}  # base weights ship
    assert "replayed 3 samples: 3 the same" in capsys.readouterr().out

    # What the pack left behind is no excuse for what it did not.
    missing = here / "results/smoke/problems/micropy-he.jsonl"
    missing.unlink()
    assert bad(here)["results/smoke/problems/micropy-he.jsonl"] == "missing"


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
