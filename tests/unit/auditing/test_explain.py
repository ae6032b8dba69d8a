"""`--explain` tells a story only of what it compared, and says whatever does not fit."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from xpflow.artifacts.audit import STATUSES
from xpflow.artifacts.manifest import FileRecord, read_manifest, write_manifest
from xpflow.cli import main
from xpflow.cli.recording import stage_record
from xpflow.study.config import load_study

RESULTS, FIGURES = Path("results/little"), Path("paper_figures/little")
RUN = RESULTS / "llada-micro/eval/micropy-he/flow/1-4/seed0"
CELL, TASK = "llada-micro,micropy-he,flow,1/4", "MicroPy-HE/test/0"
Edit = Callable[[Path, Callable[[list[dict[str, Any]]], object]], None]
Told = Callable[..., tuple[int, str]]


def seal_file(file: Path) -> None:
    """Make a file's own manifest list it as it is now."""
    path = file.with_name(f"{file.name}.manifest.json")
    write_manifest(path, replace(read_manifest(path), files=(FileRecord.of(file, file.name),)))


def troubles(text: str) -> list[str]:
    return [line.removeprefix("DOES NOT FIT: ") for line in text.splitlines() if "DOES NOT FIT" in line]


def test_an_untouched_cell_says_what_was_compared_and_what_not(inside: Path, told: Told) -> None:
    code, said = told(RESULTS, "--explain", f"{CELL},{TASK}")
    assert code == 0
    assert f"seed0, {TASK}: error" in said
    assert "Every file that was compared (8) is what it was, and table1.csv, table2.csv say what the" in said
    assert "Not compared: 2 merged and known by manifest only." in said
    assert str(inside) not in said


def test_inputs_from_outside_are_counted_as_not_compared(inside: Path, told: Told) -> None:
    code, said = told(RESULTS, "--explain", RESULTS / "study.yaml")
    assert code == 0
    assert "Not compared: 1 from outside of the study's folder." in said


@pytest.mark.parametrize("name", [FIGURES / "table1.csv", RUN / "verdicts.jsonl", CELL])
def test_an_input_that_was_altered_is_told_with_the_exit_code(inside: Path, told: Told, name: object) -> None:
    assert told(RESULTS, "--explain", name)[0] == 0
    problems = RESULTS / "problems/micropy-he.jsonl"
    problems.write_text(problems.read_text() + "\n")
    code, said = told(RESULTS, "--explain", name)
    assert code == STATUSES["altered"]
    assert "Every file that was compared" not in said
    assert any("xpflow evaluate" in why and "micropy-he.jsonl changed" in why for why in troubles(said))


def test_a_file_that_was_altered_is_told_with_its_story(inside: Path, told: Told) -> None:
    table = FIGURES / "table1.csv"
    table.write_text(table.read_text() + "\n")
    code, said = told(RESULTS, "--explain", table)
    assert code == STATUSES["altered"]
    assert "xpflow tables" in said
    assert "is not the file that tables.manifest.json lists" in troubles(said)[0]


def test_settings_that_cannot_be_compared_are_said(inside: Path, told: Told) -> None:
    """Those of a model whose own weights are not on this machine."""
    study = RESULTS / "study.yaml"
    study.write_text(study.read_text().replace("directory: null", "directory: /nowhere/at/all"))
    seal_file(study)
    code, said = told(RESULTS, "--explain", CELL)
    assert "Not compared: settings of 1 stages, whose model's weights are not here." in said
    assert code == 0


def test_a_file_that_is_not_there_has_a_story_if_a_manifest_speaks_of_it(inside: Path, told: Told) -> None:
    (RUN / "verdicts.jsonl").unlink()
    code, said = told(RESULTS, "--explain", RUN / "verdicts.jsonl")
    assert code == STATUSES["altered"]
    assert "xpflow evaluate" in said
    assert "no such file" in troubles(said)[0]


def test_a_file_that_a_pack_left_has_a_story(inside: Path, told: Told, tmp_path_factory: Any) -> None:
    trace = RESULTS / "trace.npz"
    trace.write_bytes(b"trace")
    stage_record(load_study(RESULTS / "study.yaml"), "trace").write([trace])
    archive, other = tmp_path_factory.mktemp("pack") / "a.tar.xz", tmp_path_factory.mktemp("other")
    assert main(["pack", str(RESULTS), "--out", str(archive)]) == 0
    assert main(["unpack", str(archive), "--into", str(other)]) == 0
    code, said = told(other / RESULTS, "--explain", other / trace)
    assert code == 0
    assert "left out of the pack, known by hash only" in said
    (other / f"{trace}.manifest.json").unlink()
    assert told(other / RESULTS, "--explain", other / trace)[0] == 2


def test_a_cell_without_manifest_is_trouble_whatever_its_answers(
    inside: Path, told: Told, edit: Edit
) -> None:
    edit(RUN / "samples.jsonl", lambda rows: rows[0].update(completion="return 7"))
    (RUN / "merge.manifest.json").unlink()
    code, said = told(RESULTS, "--explain", f"{CELL},{TASK}")
    assert code == STATUSES["altered"]
    assert "| return 7" in said
    assert [why.rpartition("/")[2] for why in troubles(said) if "no manifest lists" in why] == [
        "samples.jsonl",
        "verdicts.jsonl",
    ]


def test_a_file_without_manifest_is_trouble(inside: Path, told: Told) -> None:
    (FIGURES / "extra.csv").write_text("1\n")
    code, said = told(RESULTS, "--explain", FIGURES / "extra.csv")
    assert code == STATUSES["altered"]
    assert troubles(said) == ["no manifest lists paper_figures/little/extra.csv"]


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda: shutil.rmtree(FIGURES), "no table has a row of llada-micro,micropy-he,flow,1/4"),
        (lambda: (FIGURES / "table2.csv").unlink(), "no such file"),
        (
            lambda: (FIGURES / "tables.manifest.json").unlink(),
            "no manifest lists paper_figures/little/table1",
        ),
        (lambda: (RESULTS / "problems/micropy-he.jsonl.manifest.json").unlink(), "had a manifest"),
        (lambda: (RUN / "verdicts.jsonl").write_text(""), "verdicts.jsonl is empty"),
        (lambda: (RUN / "samples.jsonl").unlink(), "no such file"),
        (lambda: (RUN / "samples.jsonl").write_bytes(b"\xff"), "not UTF-8"),
        (lambda: shutil.rmtree(RUN), "no such file"),
        (lambda: (RUN / "merge.manifest.json").write_text("{}"), "merge.manifest.json"),
        (lambda: (RESULTS / "left-out.json").write_text("{}"), "left-out.json"),
    ],
)
def test_what_is_gone_or_broken_is_trouble_and_no_traceback(
    inside: Path, told: Told, harm: Callable[[], object], said: str
) -> None:
    harm()
    code, found = told(RESULTS, "--explain", CELL)
    assert code == STATUSES["altered"]
    assert any(said in why for why in troubles(found)), found
    assert "Every file that was compared" not in found


def test_a_table_row_that_was_forged_or_doubled_is_contradicted(inside: Path, told: Told, edit: Edit) -> None:
    table = FIGURES / "table1.csv"
    row = next(line for line in table.read_text().split("\n") if line.startswith(CELL))
    table.write_text(table.read_text().replace(row, row.replace(f"{CELL},0,", f"{CELL},2,") + f"\n{row}"))
    path = FIGURES / "tables.manifest.json"
    manifest = read_manifest(path)
    files = tuple(FileRecord.of(FIGURES / one.path, one.path) for one in manifest.files)
    write_manifest(path, replace(manifest, files=files))
    code, said = told(RESULTS, "--explain", CELL)
    assert code == STATUSES["altered"]
    assert troubles(said)[0] == f"table1.csv has 2 rows of {CELL}"
    assert troubles(said)[1].startswith("table1.csv says 2 of 3 passed")


def test_settings_that_the_study_has_no_more_are_said(inside: Path, told: Told) -> None:
    config = RESULTS / "study.yaml"
    config.write_text(config.read_text().replace("policy: confidence:8", "policy: confidence:2"))
    code, said = told(RESULTS, "--explain", CELL)
    assert code == STATUSES["altered"]
    assert any("ran with other settings than little/study.yaml has now" in why for why in troubles(said))
    assert any("study.yaml is not the file" in why for why in troubles(said))
    seal_file(config)
    code, said = told(RESULTS, "--explain", CELL)
    assert code == STATUSES["altered"]
    assert len(troubles(said)) == 1


def test_a_record_of_a_shard_that_was_changed_is_said(inside: Path, told: Told) -> None:
    path = RUN / "merge.manifest.json"
    manifest = read_manifest(path)
    first = manifest.inputs[1] if manifest.inputs[0].record is None else manifest.inputs[0]
    assert first.record
    forged = replace(first, record={**first.record, "facts": {"device": "cuda"}})
    inputs = tuple(forged if one == first else one for one in manifest.inputs)
    write_manifest(path, replace(manifest, inputs=inputs))
    code, said = told(RESULTS, "--explain", CELL)
    assert code == STATUSES["altered"]
    assert any("does not fit its own digest" in why for why in troubles(said))


@pytest.mark.parametrize(
    "text", ["a" * 5000, "a" * 5000 + ",b,c,1/4", "a,b,c," + "9" * 5000, "a,b,c,1e999999999"]
)
def test_a_text_of_any_length_is_an_error_that_helps(inside: Path, told: Told, text: str) -> None:
    code, said = told(RESULTS, "--explain", text)
    assert code == 2
    assert len(said) < 1000


def test_a_folder_is_no_file_and_no_cell(inside: Path, told: Told) -> None:
    code, said = told(RESULTS, "--explain", RUN)
    assert code == 2
    assert "is a folder" in said


def test_a_problem_that_the_cell_has_not_is_an_error_before_anything_is_told(
    inside: Path, told: Told
) -> None:
    code, said = told(RESULTS, "--explain", f"{CELL},MicroPy-HE/test/99")
    assert code == 2
    assert said.startswith("error: ")
    assert "has no problem" in said


@pytest.mark.parametrize("place", [".", "/", "results", "results/little/llada-micro"])
def test_a_file_is_found_from_the_root_and_from_the_working_directory(
    inside: Path, told: Told, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.chdir(inside / place)
    study = inside / RESULTS
    for name in (FIGURES / "table1.csv", inside / FIGURES / "table1.csv"):
        code, said = told(study, "--explain", name)
        assert code == 0
        assert said.startswith("paper_figures/little/table1.csv\n")
    if place == "results":
        code, said = told("little", "--explain", "little/study.yaml")
        assert said.startswith("results/little/study.yaml\n")


def test_names_and_answers_of_others_stay_on_their_line(inside: Path, told: Told, edit: Edit) -> None:
    edit(RUN / "samples.jsonl", lambda rows: rows[0].update(completion="a\x1b[2J\ud800\rb"))
    edit(RUN / "verdicts.jsonl", lambda rows: rows[0].update(reason="x\n115 good\x1b[1A"))
    code, said = told(RESULTS, "--explain", f"{CELL},{TASK}")
    assert code == 0
    assert "\x1b" not in said
    assert "115 good" not in said.splitlines()
    assert "\\ud800" in said


@pytest.mark.parametrize("text", [b"study: [", b"\xff", b'"\x1b[1A\\n115 good": 1', b"[" * 5000])
def test_a_study_that_cannot_be_read_is_an_error_in_one_line(inside: Path, told: Told, text: bytes) -> None:
    (RESULTS / "study.yaml").write_bytes(text)
    code, said = told(RESULTS, "--explain", CELL)
    assert code == 2
    assert "the study's configuration cannot be read" in said
    assert "\x1b" not in said
    assert "115 good" not in [line[:8] for line in said.splitlines()]
