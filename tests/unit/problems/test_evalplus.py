"""HumanEval+ and MBPP+: rows of the hub's data sets become problems whose tests need numpy, and grade."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from xpflow.artifacts import write_jsonl
from xpflow.errors import ConfigError, DataError
from xpflow.grading.grade import Grader
from xpflow.grading.jails.choose import choose_jail
from xpflow.problems.benchmark import load_benchmark
from xpflow.problems.benchmarks import BENCHMARKS
from xpflow.problems.benchmarks.evalplus import HUMANEVAL_SIZE, MBPP_SIZE
from xpflow.problems.problem import Problem

LOOP = "for inp, exp in zip([[0.1, 0.2], [1, 2]], [0.3, 3]):\n    assert np.allclose({}(*inp), exp)\n"
HUMANEVAL = {
    "prompt": 'def add(a, b):\n    """Add."""\n',
    "canonical_solution": "    return a + b\n",
    "entry_point": "add",
    "test": "import numpy as np\ndef check(candidate):\n" + indent(LOOP.format("candidate"), "    "),
}
MBPP = {
    "prompt": "Write a function to add.",
    "code": "def add(a, b):\n    return a + b\n",
    "source_file": "x",
    "test_imports": [],
    "test_list": ["assert add(1, 2) == 3", "assert add(0, 0) == 0"],
    "test": "import numpy as np\n" + LOOP.format("add"),
}
ROWS = {
    "humaneval-plus": [{"task_id": f"HumanEval/{n}", **HUMANEVAL} for n in range(HUMANEVAL_SIZE)],
    "mbpp-plus": [{"task_id": n, **MBPP} for n in range(2, MBPP_SIZE + 2)],
}


def loaded(name: str, folder: Path, rows: list[dict[str, Any]]) -> list[Problem]:
    write_jsonl(folder / "p.jsonl", rows)
    return load_benchmark(name, sources=BENCHMARKS[name].with_file(folder / "p.jsonl"))


@pytest.mark.parametrize("name", ROWS)
def test_rows_become_problems_that_their_solutions_pass(name: str, tmp_path: Path) -> None:
    problems = loaded(name, tmp_path, ROWS[name])
    assert len(problems) == len(ROWS[name]) == BENCHMARKS[name].sizes["test"]
    assert {problem.source for problem in problems} == {name}
    if choose_jail("unsafe-local").why_not():
        pytest.skip("nothing runs here")
    with Grader("unsafe-local", workers=1) as grader:
        first, wrong = problems[0], problems[0].solution.replace("+", "-")
        found = grader.grade([(first, first.solution), (first, wrong)])
    assert [verdict.verdict for verdict in found] == ["passed", "wrong"]


def test_a_prompt_may_show_mbpps_own_tests_and_not_the_added_ones(tmp_path: Path) -> None:
    problem = loaded("mbpp-plus", tmp_path, ROWS["mbpp-plus"])[0]
    assert problem.task_id == "MBPP/2"
    assert problem.tests[: problem.shown_tests] == tuple(MBPP["test_list"])
    assert len(problem.tests) == problem.shown_tests + 1
    assert "numpy" not in problem.kind.instruction(problem)


@pytest.mark.parametrize("name", ROWS)
def test_a_parquet_file_is_read_whatever_its_name(name: str, tmp_path: Path) -> None:
    parquet.write_table(pa.Table.from_pylist(ROWS[name]), tmp_path / "data")
    found = load_benchmark(name, sources=BENCHMARKS[name].with_file(tmp_path / "data"))
    assert found == loaded(name, tmp_path, ROWS[name])


@pytest.mark.parametrize("name", ROWS)
def test_what_is_not_the_data_set_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"expected {len(ROWS[name])} problems, found 3"):
        loaded(name, tmp_path, ROWS[name][:3])
    with pytest.raises(DataError, match=r"problem 1: evalplus's own format.*\n.*rows of the hub"):
        loaded(name, tmp_path, [{"task_id": "x", "base_input": [], "plus_input": []}])
    with pytest.raises(ConfigError, match="has no default revision"):
        load_benchmark(name)
