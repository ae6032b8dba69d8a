"""Problem files: both schemas, round trips, and errors that name file, line and field."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from xpflow.errors import DataError
from xpflow.problems import Problem, problems_from_file, problems_to_file
from xpflow.problems.benchmark import load_benchmark
from xpflow.problems.shapes.mbpp import entry_point_of
from xpflow.protocols.micropy import instruction

TINY = Path(__file__).with_name("data") / "mbpp_tiny.jsonl"


@pytest.mark.parametrize("name", ["humaneval", "micropy-he", "micropy-mbpp"])
def test_problems_written_and_read_back_are_equal(name: str, tmp_path: Path) -> None:
    problems = load_benchmark(name, None if name == "humaneval" else "validation", limit=12)
    problems_to_file(tmp_path / "p.jsonl", problems)
    assert problems_from_file(tmp_path / "p.jsonl") == problems


def test_a_file_in_the_mbpp_schema_keeps_its_numbers_and_finds_its_entry_points(tmp_path: Path) -> None:
    problems = problems_from_file(TINY)
    assert [(p.task_id, p.entry_point, p.shape, len(p.tests)) for p in problems] == [
        ("MBPP/2", "double", "mbpp", 3),
        ("MBPP/11", "total", "mbpp", 3),
        ("MBPP/601", "longest", "mbpp", 3),
    ]
    problems_to_file(tmp_path / "p.jsonl", problems)
    rows = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    originals = [json.loads(line) for line in TINY.read_text().splitlines()]
    for row, original in zip(rows, originals, strict=True):
        assert row["task_id"] == original["task_id"]
        assert (row["text"], row["code"], row["test_list"]) == (
            original["text"],
            original["code"],
            original["test_list"],
        )
    assert problems_from_file(tmp_path / "p.jsonl") == problems


def test_a_human_eval_row_has_exactly_its_schema_and_two_fields_of_ours() -> None:
    row = load_benchmark("humaneval", limit=1)[0].to_row()
    theirs = {"task_id", "prompt", "entry_point", "canonical_solution", "test"}
    assert set(row) == theirs | {"source", "split"}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            {"task_id": "a", "prompt": "def f():", "test": "x"},
            "line 2|problem 2, field 'entry_point'.*nothing",
        ),
        ({"task_id": "a", "prompt": 3, "entry_point": "f", "test": ""}, "field 'prompt': .* int 3"),
        ({"prompt": "p", "entry_point": "f", "test": ""}, "field 'task_id'"),
        ({"task_id": "a", "question": "p"}, "neither field 'shape'"),
        (
            {"task_id": 4, "text": "t", "code": "x = 1", "test_list": ["assert f()"]},
            "field 'entry_point': absent",
        ),
        ({"task_id": 4, "text": "t", "code": "x = 1", "test_list": "assert f()"}, "field 'test_list'"),
        ({"task_id": "MBPP/2", "text": "t", "code": "def f(): 1", "test_list": ["f()"]}, "occurs twice"),
    ],
)
def test_a_wrong_row_is_named_by_file_place_and_field(row: dict, message: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text(TINY.read_text().splitlines()[0] + "\n" + json.dumps(row) + "\n")
    with pytest.raises(DataError, match=message) as error:
        problems_from_file(file)
    assert "mine.jsonl, problem 2" in str(error.value)


def test_the_entry_point_is_the_first_name_of_the_tests_that_the_code_defines() -> None:
    code = "def helper(x):\n    return x\n\ndef target(x):\n    return helper(x)\n"
    assert entry_point_of(code, ["assert len(target([1])) == 1"]) == "target"
    assert entry_point_of(code, ["assert other(1)"]) is None


def test_the_solution_is_a_complete_program() -> None:
    he, mbpp = (load_benchmark(f"micropy-{s}", "validation", limit=1)[0] for s in ("he", "mbpp"))
    for problem in (he, mbpp):
        space: dict = {}
        exec(problem.solution, space)
        assert callable(space[problem.entry_point])


def test_instructions_show_what_a_solver_may_see() -> None:
    he = load_benchmark("humaneval", limit=1)[0]
    assert instruction(he) == "Complete the following python code:\n" + he.prompt
    mbpp = problems_from_file(TINY)[0]
    assert all(test in instruction(mbpp) for test in mbpp.tests)
    micro = load_benchmark("micropy-mbpp", "validation", limit=1)[0]
    assert micro.tests[0] in instruction(micro)
    assert micro.tests[1] not in instruction(micro)
    persona = Problem("p", "Please sort this.", "", (), "", "tulu3-personas", "train", "mbpp", shown_tests=0)
    assert instruction(persona) == "Please sort this."
