"""Merged files depend on the rows alone: any order, any number of shards, the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xpflow.artifacts.io import read_jsonl, write_jsonl
from xpflow.cli import main
from xpflow.errors import ArtifactError, DataError
from xpflow.evaluation.merge import merge_evaluation, merge_rows, tasks_of

TASKS = [f"task/{number}" for number in (2, 10, 1)]
RUNS = [("mask", "1/1"), ("flow", "1/4")]


def sample(task: str, arm: str, budget: str) -> dict[str, Any]:
    return {"task_id": task, "completion": f"{task} {arm}", "nfe": 8, "arm": arm, "budget": budget, "seed": 0}


def verdict(task: str, arm: str) -> dict[str, Any]:
    return {"task_id": task, "verdict": "passed" if arm == "flow" else "wrong", "reason": "", "time_s": 0.1}


def write_part(folder: Path, rows: list[tuple[str, str, str]]) -> Path:
    write_jsonl(folder / "samples.jsonl", [sample(*row) for row in rows])
    write_jsonl(folder / "verdicts.jsonl", [verdict(task, arm) for task, arm, _ in rows])
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


ROWS = [(task, arm, budget) for arm, budget in RUNS for task in TASKS]


@settings(max_examples=8)
@given(data=st.data())
def test_any_partition_in_any_order_gives_the_same_bytes(tmp_path_factory: Any, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("merge")
    merge_evaluation([write_part(folder / "whole", ROWS)], TASKS, folder / "expected")
    rows = data.draw(st.permutations(ROWS))
    places = data.draw(st.lists(st.integers(0, 2), min_size=len(rows), max_size=len(rows)))
    parts = [
        write_part(
            folder / f"part{number}", [row for row, at in zip(rows, places, strict=True) if at == number]
        )
        for number in range(3)
    ]
    merge_evaluation(data.draw(st.permutations(parts)), TASKS, folder / "found")
    assert contents(folder / "found") == contents(folder / "expected")
    assert set(contents(folder / "found")) == {
        f"{arm}/{budget.replace('/', '-')}/seed0/{name}.jsonl"
        for arm, budget in RUNS
        for name in ("samples", "verdicts")
    }


@settings(max_examples=8)
@given(data=st.data())
def test_rows_merge_to_the_same_bytes_in_any_order(tmp_path_factory: Any, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("rows")
    rows = data.draw(st.permutations([{"task_id": task, "response": [1]} for task in TASKS]))
    cut = data.draw(st.integers(0, len(rows)))
    parts = [folder / "1.jsonl", folder / "2.jsonl"]
    write_jsonl(parts[0], rows[:cut])
    write_jsonl(parts[1], rows[cut:])
    assert merge_rows(data.draw(st.permutations(parts)), folder / "out.jsonl") == len(TASKS)
    lines = (folder / "out.jsonl").read_text().splitlines()
    assert [line.split('"task_id": ')[1] for line in lines] == [f'"task/{number}"}}' for number in (1, 2, 10)]


def several(folder: Path, names: list[tuple[str, int]]) -> Path:
    """Write a graded part of one run with samples of these tasks and numbers."""
    common = {"arm": "mask", "budget": "1/4", "seed": 0}
    rows = [{"task_id": task, "sample": n, "completion": f"{task}.{n}"} for task, n in names]
    write_jsonl(folder / "samples.jsonl", [{**row, **common} for row in rows])
    write_jsonl(folder / "verdicts.jsonl", [{**row, "verdict": "passed"} for row in rows])
    return folder


def test_several_samples_stand_by_task_and_then_by_number(tmp_path: Path) -> None:
    names = [(task, n) for task in TASKS for n in range(2)]
    parts = [several(tmp_path / "1", names[3:][::-1]), several(tmp_path / "2", names[:3])]
    [folder] = merge_evaluation(parts, TASKS, tmp_path / "out")
    for name in ("samples", "verdicts"):
        rows = read_jsonl(folder / f"{name}.jsonl")
        assert [(row["task_id"], row["sample"]) for row in rows] == names
        assert [row["completion"] for row in rows] == [f"{task}.{n}" for task, n in names]
    assert merge_rows([part / "samples.jsonl" for part in parts], tmp_path / "rows.jsonl") == 6
    tasks = [(row["task_id"], row["sample"]) for row in read_jsonl(tmp_path / "rows.jsonl")]
    assert tasks == [(f"task/{task}", n) for task in (1, 2, 10) for n in range(2)]


def test_a_missing_sample_or_one_given_twice_is_an_error(tmp_path: Path) -> None:
    names = [(task, n) for task in TASKS for n in range(2)]
    with pytest.raises(DataError, match="has 1 of 2 samples"):
        merge_evaluation([several(tmp_path / "few", names[:-1])], TASKS, tmp_path / "out")
    with pytest.raises(DataError, match="task/2, sample 1 comes twice"):
        merge_evaluation([several(tmp_path / "twice", [*names, names[1]])], TASKS, tmp_path / "out")


def test_a_missing_shard_is_an_error_and_not_a_smaller_benchmark(tmp_path: Path) -> None:
    part = write_part(tmp_path / "part", ROWS[:-1])
    with pytest.raises(DataError, match="1 tasks too many or too few"):
        merge_evaluation([part], TASKS, tmp_path / "out")


def test_a_shard_given_twice_is_an_error(tmp_path: Path) -> None:
    part = write_part(tmp_path / "part", ROWS)
    with pytest.raises(DataError, match="comes twice"):
        merge_evaluation([part, part], TASKS, tmp_path / "out")


def test_verdicts_of_other_samples_are_an_error(tmp_path: Path) -> None:
    part = write_part(tmp_path / "part", ROWS)
    write_jsonl(part / "verdicts.jsonl", [verdict(task, arm) for task, arm, _ in ROWS[::-1]])
    with pytest.raises(DataError, match="grade the samples again"):
        merge_evaluation([part], TASKS, tmp_path / "out")


def test_a_row_that_names_no_arm_is_an_error(tmp_path: Path) -> None:
    part = write_part(tmp_path / "part", ROWS)
    write_jsonl(part / "samples.jsonl", [{"task_id": task, "completion": ""} for task, _, _ in ROWS])
    with pytest.raises(ArtifactError, match="without arm, budget or seed"):
        merge_evaluation([part], TASKS, tmp_path / "out")


@pytest.mark.parametrize(
    "wrong",
    [
        {"arm": "../../elsewhere"},
        {"arm": "a/b"},
        {"arm": ".."},
        {"arm": ""},
        {"arm": ["flow"]},
        {"seed": None},
        {"seed": 0.9},
        {"seed": "0"},
        {"seed": True},
        {"seed": -1},
        {"budget": None},
    ],
)
def test_a_row_whose_run_is_no_run_of_a_study_writes_nothing(tmp_path: Path, wrong: dict[str, Any]) -> None:
    part = write_part(tmp_path / "part", [(task, "flow", "1/4") for task in TASKS])
    rows = [{**row, **wrong} for row in read_jsonl(part / "samples.jsonl")]
    write_jsonl(part / "samples.jsonl", rows)
    with pytest.raises(ArtifactError, match="a row without arm, budget or seed"):
        merge_evaluation([part], TASKS, tmp_path / "a" / "b" / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["part"]


def test_shards_without_a_sample_and_problems_that_come_twice_are_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the shards hold no samples"):
        merge_evaluation([write_part(tmp_path / "part", [])], TASKS, tmp_path / "out")
    write_jsonl(tmp_path / "problems.jsonl", [{"task_id": task} for task in (*TASKS, TASKS[1])])
    with pytest.raises(DataError, match="task/10 comes twice"):
        tasks_of(tmp_path / "problems.jsonl")


def test_numbers_of_any_length_and_script_have_an_order(tmp_path: Path) -> None:
    tasks = ["1" * 5000, "2", "010", "1", "9", "a\u0663"]
    write_jsonl(tmp_path / "rows.jsonl", [{"task_id": task} for task in tasks])
    assert merge_rows([tmp_path / "rows.jsonl"], tmp_path / "out.jsonl") == 6
    found = [row["task_id"] for row in read_jsonl(tmp_path / "out.jsonl")]
    assert [task[:3] for task in found] == ["1", "2", "9", "010", "111", "a\u0663"]


def test_the_command_merges_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_jsonl(tmp_path / "1.jsonl", [{"task_id": "b"}])
    write_jsonl(tmp_path / "2.jsonl", [{"task_id": "a"}])
    files = [str(tmp_path / name) for name in ("1.jsonl", "2.jsonl")]
    assert main(["merge", "rows", *files, "--out", str(tmp_path / "out.jsonl")]) == 0
    assert "2 rows" in capsys.readouterr().out
    assert (tmp_path / "out.jsonl").read_text() == '{"task_id": "a"}\n{"task_id": "b"}\n'
