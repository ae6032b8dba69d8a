"""Stand-ins of published data have its schemas, and as many rows as benchmarks promise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from xpflow.problems import Problem, stand_in
from xpflow.problems.benchmark import load_benchmark
from xpflow.problems.benchmarks import BENCHMARKS
from xpflow.problems.shapes import SHAPES


def one(shape: str, split: str = "test") -> tuple[Problem]:
    """Return an example in place of MicroPy's problems, which take seconds to make."""
    found = SHAPES[shape].example
    return (replace(found, tests=3 * found.tests, canonical_solution="def one():\n    return 1\n"),)


def test_every_file_is_read_as_its_benchmark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stand_in, "load", one)
    monkeypatch.setattr(stand_in, "persona_problems", lambda count: one("mbpp"))
    for path in stand_in.write_stand_ins(tmp_path):
        name = {"personas": "tulu3-personas"}.get(path.stem, path.stem)
        problems = load_benchmark(name, sources=BENCHMARKS[name].with_file(path))
        assert len({problem.task_id for problem in problems}) == len(problems)
        assert all(problem.prompt and problem.canonical_solution for problem in problems)
        assert len(problems) in (*BENCHMARKS[name].sizes.values(), 1, stand_in.PAGES)
