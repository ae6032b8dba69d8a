"""`xpflow problems`: an exported file is read back as the same problems."""

from __future__ import annotations

from pathlib import Path

import pytest

from xpflow.cli import main
from xpflow.problems import problems_from_file
from xpflow.problems.benchmark import load_benchmark
from xpflow.problems.benchmarks import BENCHMARKS


def test_list_names_every_benchmark(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["problems", "list"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in BENCHMARKS)


def test_show_prints_prompt_solution_and_tests(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["problems", "show", "humaneval", "--limit", "1"]) == 0
    out = capsys.readouterr().out
    assert "HumanEval/0" in out
    assert "def check(candidate)" in out


def test_an_exported_file_is_read_back_as_the_same_problems(tmp_path: Path) -> None:
    out = tmp_path / "p.jsonl"
    assert main(["problems", "export", "humaneval", "--limit", "3", "--out", str(out)]) == 0
    read, loaded = problems_from_file(out), load_benchmark("humaneval", limit=3)
    assert [p.to_row() for p in read] == [p.to_row() for p in loaded]


def test_a_file_for_a_generated_benchmark_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["problems", "show", "micropy-he", "--file", str(tmp_path / "x")]) == 2
    assert "takes no data file" in capsys.readouterr().err
