"""What holds for every benchmark of the table."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from xpflow.errors import ConfigError, DataError
from xpflow.problems import problems_from_file, problems_to_file
from xpflow.problems.benchmark import benchmark_shape, load_benchmark
from xpflow.problems.benchmarks import BENCHMARKS
from xpflow.problems.shapes import SHAPES

SHIPPED = [name for name in BENCHMARKS if BENCHMARKS[name].hub is None]


@pytest.mark.parametrize("name", list(BENCHMARKS))
def test_a_benchmark_says_its_name_shape_and_splits(name: str) -> None:
    benchmark = BENCHMARKS[name]
    assert benchmark.name == name
    assert benchmark.about
    assert benchmark_shape(name) in SHAPES
    assert benchmark.default_split in benchmark.splits
    assert all(size > 0 for size in benchmark.sizes.values())
    assert benchmark.prompts.mean <= benchmark.prompts.longest


@pytest.mark.parametrize("name", list(BENCHMARKS))
def test_a_local_file_wins_over_the_hub_and_is_taken_where_there_is_a_setting(name: str) -> None:
    benchmark = BENCHMARKS[name]
    if not benchmark.file_setting:
        with pytest.raises(DataError, match="takes no data file"):
            benchmark.with_file("mine.jsonl")
        return
    sources = benchmark.with_file("mine.jsonl")
    assert benchmark.local_file(sources) == Path("mine.jsonl")
    assert benchmark.repo(sources) is None


@pytest.mark.parametrize("name", list(BENCHMARKS))
def test_data_of_the_hub_is_pinned_to_a_commit_or_the_study_has_to_name_one(name: str) -> None:
    benchmark = BENCHMARKS[name]
    if benchmark.hub is None:
        assert benchmark.repo({}) is None
        return
    other = benchmark.repo({benchmark.revision: "f" * 40})
    assert other is not None
    assert (other.revision, other.hub_id, dict(other.sha256)) == ("f" * 40, benchmark.hub.hub_id, {})
    if benchmark.hub.revision:
        pinned = benchmark.repo({})
        assert pinned is not None
        assert re.fullmatch("[0-9a-f]{40}", pinned.revision)
    else:
        with pytest.raises(ConfigError, match=benchmark.revision or "no commit of it"):
            benchmark.repo({})


@pytest.mark.parametrize("name", SHIPPED)
def test_data_that_ships_has_its_size_and_survives_a_file(name: str, tmp_path: Path) -> None:
    benchmark = BENCHMARKS[name]
    split = min(benchmark.sizes, key=lambda one: benchmark.sizes[one])  # the others are made by the same code
    problems = load_benchmark(name, split)
    assert len(problems) == benchmark.sizes[split]
    assert len({problem.task_id for problem in problems}) == len(problems)
    assert len({(problem.source, problem.split) for problem in problems}) == 1
    tested = [problem for problem in problems if problem.tests][:8]
    assert {problem.shape for problem in tested} <= {benchmark.shape}
    some = tested or problems[:8]
    problems_to_file(tmp_path / "p.jsonl", some)
    assert problems_from_file(tmp_path / "p.jsonl") == some


@pytest.mark.parametrize("name", list(BENCHMARKS))
def test_a_split_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(DataError, match="has no split 'nowhere'"):
        load_benchmark(name, "nowhere")
