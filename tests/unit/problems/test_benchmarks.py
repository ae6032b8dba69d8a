"""The registry and the readers of external data: sizes, splits, and what happens when data is not there."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from xpflow.artifacts import sha256_file
from xpflow.errors import ConfigError, DataError
from xpflow.grading.grade import Grader
from xpflow.grading.verdict import Limits
from xpflow.problems import problems_from_file, problems_to_file
from xpflow.problems.benchmark import load_benchmark
from xpflow.problems.benchmarks import BENCHMARKS
from xpflow.problems.benchmarks.mbpp import SPLITS, mbpp_problems, split_of

TINY = Path(__file__).with_name("data") / "mbpp_tiny.jsonl"
REAL = Path(os.environ.get("XPFLOW_MBPP", Path(__file__).parents[4] / "shared" / "data" / "mbpp.jsonl"))
SIZES = {"prompt": 10, "test": 500, "validation": 90, "train": 374}


@pytest.fixture(scope="module")
def full_size(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of MBPP's size and schema, in reverse order of task number."""
    row = {"text": "t", "code": "def f(): return 1", "test_list": ["assert f() == 1"], "test_setup_code": ""}
    file = tmp_path_factory.mktemp("mbpp") / "full.jsonl"
    file.write_text("".join(json.dumps({**row, "task_id": n}) + "\n" for n in range(974, 0, -1)))
    return file


def test_humaneval_has_164_problems_in_the_order_of_their_numbers() -> None:
    problems = load_benchmark("humaneval")
    assert [p.task_id for p in problems] == [f"HumanEval/{i}" for i in range(164)]


def test_every_task_number_of_mbpp_belongs_to_one_split() -> None:
    assert Counter(split_of(number) for number in range(1, 975)) == SIZES
    for number in (0, 975, "11", None):
        with pytest.raises(DataError, match="task_id"):
            split_of(number)


@pytest.mark.parametrize("split", sorted(SPLITS))
def test_mbpp_splits_have_their_sizes_and_order(split: str, full_size: Path) -> None:
    problems = load_benchmark("mbpp", split, sources={"mbpp": full_size})
    first, last = SPLITS[split]
    assert [p.task_id for p in problems] == [f"MBPP/{n}" for n in range(first, last + 1)]
    assert all((p.split, p.source, p.shown_tests) == (split, "mbpp", 3) for p in problems)


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of sanitized MBPP's size and schema: one JSON array, as the original is."""
    row = {
        "source_file": "x",
        "prompt": "Write a function to add up the square roots.",
        "code": "def total(values):\n    return sum(math.sqrt(value) for value in values)",
        "test_imports": ["import math"],
        "test_list": [f"assert math.isclose(total([4, {n * n}]), {2 + n})" for n in range(4)],
    }
    row["code"] = "import math\n" + row["code"]
    starts = {"prompt": 1, "test": 11, "validation": 511, "train": 601}
    numbers = [starts[split] + n for split, size in SANITIZED.items() for n in range(size)]
    file = tmp_path_factory.mktemp("mbpp") / "sanitized-mbpp.json"
    file.write_text(json.dumps([{**row, "task_id": n} for n in reversed(numbers)], indent=1))
    return file


SANITIZED = {"prompt": 7, "test": 257, "validation": 43, "train": 120}


@pytest.mark.parametrize(("split", "size"), [*SANITIZED.items(), ("all", 427)])
def test_sanitized_mbpp_is_a_benchmark_of_its_own_sizes(split: str, size: int, sanitized: Path) -> None:
    problems = load_benchmark("mbpp-sanitized", split, sources={"mbpp_sanitized": sanitized})
    numbers = [int(p.task_id.removeprefix("MBPP/")) for p in problems]
    assert len(problems) == size
    assert numbers == sorted(numbers)
    assert {p.split for p in problems} == (set(SANITIZED) if split == "all" else {split})


def test_a_sanitized_problem_shows_all_its_tests_and_its_imports_are_there(
    sanitized: Path, tmp_path: Path
) -> None:
    problem = load_benchmark("mbpp-sanitized", limit=1, sources={"mbpp_sanitized": sanitized})[0]
    assert (problem.shown_tests, problem.setup, problem.source) == (4, "import math", "mbpp-sanitized")
    problems_to_file(tmp_path / "p.jsonl", [problem])
    assert problems_from_file(tmp_path / "p.jsonl") == [problem]
    with Grader(workers=1) as grader:
        assert grader.grade([(problem, problem.solution)])[0].passed


def test_sanitized_mbpp_may_be_json_lines_and_must_be_whole(sanitized: Path, tmp_path: Path) -> None:
    rows = json.loads(sanitized.read_text())
    lines = tmp_path / "lines.jsonl"
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows))
    read = [load_benchmark("mbpp-sanitized", sources={"mbpp_sanitized": file}) for file in (lines, sanitized)]
    assert read[0] == read[1]
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows[:-200]))
    with pytest.raises(DataError, match="expected 427 problems, found 227"):
        load_benchmark("mbpp-sanitized", "all", sources={"mbpp_sanitized": lines})
    del rows[0]["prompt"]
    lines.write_text(json.dumps(rows))
    with pytest.raises(DataError, match="problem 1, field 'prompt'"):
        load_benchmark("mbpp-sanitized", sources={"mbpp_sanitized": lines})


def test_only_the_sanitized_mbpp_has_the_split_all(full_size: Path) -> None:
    with pytest.raises(DataError, match="has no split 'all'"):
        load_benchmark("mbpp", "all", sources={"mbpp": full_size})


def test_a_local_file_is_announced_with_its_hash(full_size: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load_benchmark("mbpp", "prompt", sources={"mbpp": str(full_size)})
    assert sha256_file(full_size) in capsys.readouterr().err


def test_an_incomplete_mbpp_file_is_an_error() -> None:
    with pytest.raises(DataError, match="expected 500 problems, found 1"):
        load_benchmark("mbpp", "test", sources={"mbpp": TINY})


def test_the_solutions_of_the_tiny_mbpp_file_pass_with_setup_code_and_carriage_returns() -> None:
    problems = mbpp_problems([json.loads(line) for line in TINY.read_text().splitlines()], str(TINY))
    with Grader(workers=1, limits=Limits(cpu_s=2)) as grader:
        assert [v.verdict for v in grader.grade([(p, p.solution) for p in problems])] == ["passed"] * 3


@pytest.mark.skipif(not REAL.is_file(), reason="no mbpp.jsonl beside the repository (XPFLOW_MBPP names one)")
def test_the_original_mbpp_has_an_entry_point_everywhere_and_its_solutions_pass() -> None:
    problems = [p for split in SPLITS for p in load_benchmark("mbpp", split, sources={"mbpp": REAL})]
    assert len(problems) == 974
    assert all(len(p.tests) == 3 and p.entry_point in p.canonical_solution for p in problems)
    with Grader(workers=2) as grader:
        verdicts = grader.grade([(p, p.solution) for p in problems[::8]])
    assert [v for v in verdicts if not v.passed] == []


def test_personas_come_from_a_file_of_id_prompt_messages(tmp_path: Path) -> None:
    file = tmp_path / "personas.jsonl"
    file.write_text(json.dumps({"id": "p1", "prompt": "Write f.", "messages": []}) + "\n")
    (problem,) = load_benchmark("tulu3-personas", sources={"tulu3_personas": file})
    assert (problem.task_id, problem.prompt, problem.tests) == ("p1", "Write f.", ())
    file.write_text(json.dumps({"id": "p1", "messages": []}) + "\n")
    with pytest.raises(DataError, match="prompt 1, field 'prompt'"):
        load_benchmark("tulu3-personas", sources={"tulu3_personas": file})


def test_personas_without_file_or_revision_are_an_error_that_asks_for_one() -> None:
    with pytest.raises(ConfigError, match="tulu3_personas_revision is missing"):
        load_benchmark("tulu3-personas")


@pytest.mark.parametrize("name", ["micropy-he", "micropy-mbpp"])
def test_micropy_is_found_by_name_in_three_splits(name: str) -> None:
    assert set(BENCHMARKS[name].splits) == {"train", "validation", "test"}
    assert {p.split for p in load_benchmark(name, "validation", limit=5)} == {"validation"}


def test_unknown_names_are_errors_with_the_nearest_valid_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="did you mean 'humaneval'"):
        load_benchmark("human-eval")
    with pytest.raises(DataError, match="did you mean 'validation'"):
        load_benchmark("mbpp", "valid")
    with pytest.raises(DataError, match="no such file"):
        load_benchmark("mbpp", sources={"mbpp": tmp_path / "absent.jsonl"})
