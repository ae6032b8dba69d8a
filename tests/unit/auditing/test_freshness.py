"""What has to be made again is told from manifests and content, and nothing that a copy leaves behind."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.auditing.conftest import EVALUATED, FIGURES, RESULTS, STUDY, seal

from xpflow.artifacts.left_out import NOTE
from xpflow.artifacts.manifest import ENDING, read_manifest, write_manifest
from xpflow.cli import main
from xpflow.study import freshness
from xpflow.study.config import StudyConfig, load_study
from xpflow.study.freshness import mark, no_future, outdated, told
from xpflow.study.layout import Layout

ROWS = RESULTS / "llada-micro/eval/micropy-he"
PROBLEMS = RESULTS / "problems/micropy-he.jsonl"
TABLES = {(FIGURES / name).as_posix() for name in ("table1.md", "table2.csv", f"tables{ENDING}")}


def study(*changes: tuple[str, str]) -> StudyConfig:
    text = STUDY
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    Path("little.yaml").write_text(text)
    return load_study(Path("little.yaml"))


def kinds(found: dict[str, str]) -> set[str]:
    """Return which parts of the study are out of date."""
    names = {"problems": "problems", "eval": "rows", FIGURES.parts[0]: "tables", "parts": "parts"}
    return {names[part] for path in found for part in Path(path).parts if part in names}


def test_what_nobody_touched_is_up_to_date(inside: Path) -> None:
    assert outdated(study()) == {}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([("budgets: [1/4]", "budgets: [1/4, 1/2]")], {"rows", "tables"}),
        ([("limit: 3", "limit: 2")], {"problems", "rows", "tables"}),
        ([("bootstrap_samples: 200", "bootstrap_samples: 300")], {"tables"}),
        ([("workers: 1", "workers: 2, cpu_s: 1.5")], {"rows", "tables"}),
        ([("workers: 1", "workers: 2")], set()),
    ],
)
def test_a_changed_setting_makes_out_of_date_what_depends_on_it(
    inside: Path, changes: list[tuple[str, str]], expected: set[str]
) -> None:
    assert kinds(outdated(study(*changes))) == expected


def test_times_do_not_count(inside: Path) -> None:
    for number, path in enumerate(sorted(inside.rglob("*"), reverse=True)):
        os.utime(path, (number * 1e7, number * 1e7))
    assert outdated(study()) == {}


def test_a_moved_folder_is_judged_by_what_is_in_it(
    inside: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path_factory.mktemp("other")
    for name in ("results", "paper_figures"):
        shutil.move(inside / name, other / name)
    monkeypatch.chdir(other)
    assert outdated(study()) == {}


def test_changed_code_makes_out_of_date_what_it_made(inside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = freshness.stage_code
    monkeypatch.setattr(
        freshness, "stage_code", lambda *stage: "3.0" if stage[1]["command"] == "grade" else now(*stage)
    )
    found = outdated(study())
    assert kinds(found) == {"rows", "tables"}
    assert "the code behind `xpflow grade` changed" in found.values()


def test_a_manifest_of_an_older_rule_is_out_of_date(inside: Path) -> None:
    path = PROBLEMS.with_name(PROBLEMS.name + ENDING)
    write_manifest(path, replace(read_manifest(path), code="2.0123456789ab"))
    assert kinds(outdated(study())) == {"problems", "rows", "tables"}


@pytest.mark.parametrize(
    ("harm", "expected", "why"),
    [
        (
            lambda: PROBLEMS.write_text(PROBLEMS.read_text() + "\n"),
            {"problems", "rows", "tables"},
            "is not the",
        ),
        (PROBLEMS.unlink, {"problems", "rows", "tables"}, "no such file"),
        ((ROWS / "flow/1-4/seed0/verdicts.jsonl").unlink, {"rows", "tables"}, "no such file"),
        (
            PROBLEMS.with_name(PROBLEMS.name + ENDING).unlink,
            {"problems", "rows", "tables"},
            "no manifest lists",
        ),
        ((ROWS / f"flow/1-4/seed0/merge{ENDING}").unlink, {"rows", "tables"}, "no manifest lists"),
        ((FIGURES / f"tables{ENDING}").unlink, {"tables"}, "no manifest lists"),
        (lambda: (FIGURES / f"tables{ENDING}").write_text("{}"), {"tables"}, "no manifest of ours"),
        (
            lambda: swap(ROWS / "flow/1-4/seed0", ROWS / "mask/1-4/seed0"),
            {"rows", "tables"},
            "not of this place",
        ),
    ],
)
def test_whatever_was_done_to_a_file_it_is_made_again_with_what_follows(
    inside: Path, harm: Callable[[], object], expected: set[str], why: str
) -> None:
    harm()
    found = outdated(study())
    assert kinds(found) == expected
    assert any(why in reason for reason in found.values())


def test_each_place_of_a_study_is_known_by_its_names(inside: Path) -> None:
    """What stages write there is compared with these: a wrong one would make it again for ever."""
    layout = Layout(RESULTS, FIGURES)
    known = {
        layout.problems("b"): {"benchmark": "b"},
        layout.training_problems("b"): {"benchmark": "b", "split": "train"},
        layout.selfdata("m", 1): {"model": "m", "seed": "1"},
        layout.selfdata_part("m", 1, "2-of-3"): {"model": "m", "seed": "1", "shard": "2/3"},
        layout.answer_verdicts("m", 1): {"model": "m", "seed": "1"},
        layout.run_log("m", "r", 1): {"model": "m", "run": "r", "seed": "1", "file": "log.jsonl"},
        layout.solvable("m"): {"model": "m"},
        layout.policy_file(1): {"seed": "1", "file": "policy.safetensors"},
        layout.part("m", "b", "r+trained", 1, "2-of-3") / "samples.jsonl": {
            "model": "m",
            "benchmark": "b",
            "kind": "r+trained",
            "seed": "1",
            "shard": "2/3",
            "file": "samples.jsonl",
        },
        layout.trace: {},
        layout.figure("table1", "md"): {},
    }
    assert {path: layout.names_at(path.as_posix()) for path in known} == known


def test_training_problems_of_a_benchmark_that_is_evaluated_too_are_up_to_date(inside: Path) -> None:
    training = Layout(RESULTS, FIGURES).training_problems("micropy-he")
    words = ["problems", "export", "micropy-he", "--split", "train", "--config", RESULTS / "study.yaml"]
    assert main([str(word) for word in (*words, "--limit", 2, "--out", training)]) == 0
    assert outdated(study()) == {}
    for ending in ("", ENDING):  # and are no problems to be evaluated on
        shutil.copy(f"{training}{ending}", f"{PROBLEMS}{ending}")
    assert outdated(study())[PROBLEMS.as_posix()] == "it is not of this place, but of split train"


def swap(one: Path, two: Path) -> None:
    one.rename("aside")
    two.rename(one)
    Path("aside").rename(two)


def test_another_manifest_of_the_same_content_breaks_the_chain(inside: Path) -> None:
    """So a stage that ran again by itself is followed by those that read it."""
    path = PROBLEMS.with_name(PROBLEMS.name + ENDING)
    write_manifest(path, replace(read_manifest(path), ended="2001-01-01T00:00:00+00:00"))
    assert kinds(outdated(study())) == {"rows", "tables"}


def test_a_restored_backup_is_up_to_date_again(inside: Path, tmp_path: Path) -> None:
    shutil.copytree("results", tmp_path / "backup")
    row = ROWS / "flow/1-4/seed0/samples.jsonl"
    row.write_text("")
    seal(row.parent)
    assert kinds(outdated(study())) == {"tables"}
    shutil.rmtree("results")
    shutil.copytree(tmp_path / "backup", "results")
    assert outdated(study()) == {}


def test_what_another_study_made_is_not_this_one_s(inside: Path) -> None:
    shutil.move(RESULTS, RESULTS.with_name("second"))
    found = outdated(study(("name: little", "name: second")))
    assert kinds(found) == {"problems", "rows"}
    assert "it was made for another study, little" in found.values()


def test_what_was_made_in_another_container_is_made_again(inside: Path) -> None:
    found = outdated(study(), container="sha256:0123")
    assert kinds(found) == {"problems", "rows", "tables"}
    assert "it was made outside of any container, and would now be made in container sha256:0123" in set(
        found.values()
    )


def test_a_local_data_file_elsewhere_counts_by_its_content(
    inside: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = tmp_path_factory.mktemp("data") / "tulu.jsonl"
    data.write_text('{"prompt": "a"}\n')
    chosen = study(("problems: {", f"problems: {{sources: {{tulu3_personas: {data}}}, "))
    config, base = RESULTS / "study.yaml", ["--config", RESULTS / "study.yaml"]
    words = ["problems", "export", "micropy-he", "--limit", 3, *base, "--out", PROBLEMS]
    for command in (["config", "show", "little.yaml", "--out", config], words):
        assert main([str(word) for word in command]) == 0
    made = {path for path in outdated(chosen) if "problems/" in path}
    assert not made
    data.write_text('{"prompt": "b"}\n')
    why = {reason for path, reason in outdated(chosen).items() if "problems/" in path}
    assert why == {"its input tulu.jsonl, from outside of this folder, changed"}


def test_shards_that_a_killed_run_left_are_judged_too(inside: Path) -> None:
    part = RESULTS / "llada-micro/parts/micropy-he/base/seed0/1-of-1/samples.jsonl"
    words = [
        "evaluate",
        "--config",
        RESULTS / "study.yaml",
        "--problems",
        PROBLEMS,
        *EVALUATED,
        "--out",
        part,
    ]
    assert main([str(word) for word in words]) == 0
    assert outdated(study()) == {}
    found = outdated(study(("confidence:8", "confidence:4")))
    assert kinds(found) == {"parts", "rows", "tables"}
    other = part.parents[2] / "seed1/1-of-1"
    shutil.copytree(part.parent, other)
    assert any("it is not of this place, but of seed 0" in why for why in outdated(study()).values())


def test_what_a_pack_left_out_is_made_again_only_when_it_is_needed(
    inside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha256 = read_manifest(PROBLEMS.with_name(PROBLEMS.name + ENDING)).files[0].sha256
    monkeypatch.setattr("xpflow.artifacts.graph.absent", lambda *place: {PROBLEMS.as_posix(): sha256})
    PROBLEMS.unlink()
    assert outdated(study()) == {}
    assert kinds(outdated(study(("bootstrap_samples: 200", "bootstrap_samples: 300")))) == {"tables"}
    found = outdated(study(("confidence:8", "confidence:4")))
    assert found[PROBLEMS.as_posix()] == f"a pack left {PROBLEMS} out"
    assert NOTE not in found


def test_the_lines_name_reasons_and_leave_out_what_merely_follows(inside: Path) -> None:
    chosen = study(("limit: 3", "limit: 2"))
    lines = told(outdated(chosen), chosen)
    assert f"out of date: {PROBLEMS} (the study's settings for `xpflow problems` changed)" in lines
    assert not any("made again is" in line for line in lines)
    assert 1 < len(lines) < 5


def test_a_mark_is_newer_than_any_file_and_has_other_content_each_time(inside: Path) -> None:
    future = 1 << 31
    os.utime(PROBLEMS, (future, future))
    first = mark({"a": "why"})
    before = first.read_text()
    assert first.stat().st_mtime > future
    assert first.lstat().st_mtime < future  # as Snakemake asks when it compares outputs with their inputs
    assert mark({"a": "why"}).read_text() != before
    assert json.loads(before)["files"] == {"a": "why"}


def test_files_from_the_future_get_today_s_time(inside: Path) -> None:
    before, future = PROBLEMS.stat().st_mtime, 1 << 31
    no_future(study())
    assert PROBLEMS.stat().st_mtime == before
    os.utime(PROBLEMS, (future, future))
    no_future(study())
    assert before <= PROBLEMS.stat().st_mtime < future


def test_large_files_are_read_once_and_again_when_anything_about_them_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from xpflow.artifacts import io

    read: list[Any] = []
    hashed = io.sha256_file
    monkeypatch.setattr(io, "LARGE", 2)
    monkeypatch.setattr(io, "sha256_file", lambda path: read.append(path) or hashed(path))
    file, memory = tmp_path / "weights", tmp_path / "memory"
    file.write_bytes(b"abc")
    first = io.remembered_sha256(file, memory)
    assert io.remembered_sha256(file, memory) == first == hashed(file)
    assert len(read) == 1
    stat = file.stat()
    file.write_bytes(b"abd")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert io.remembered_sha256(file, memory) == hashed(file) != first
