"""MicroPy: sizes, held-out combinations, several valid solutions, files."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, Literal

import pytest

from xpflow.cli import main
from xpflow.grading.grade import Grader
from xpflow.problems import problems_from_file, problems_to_file
from xpflow.problems.benchmark import load_benchmark
from xpflow.problems.benchmarks import BENCHMARKS
from xpflow.problems.micropy import SIZES, Split, combinations_of, dataset, load, persona_problems, split_of
from xpflow.problems.micropy.code import STYLES, body, signature
from xpflow.problems.micropy.dataset import draw_training_task, training_pairs
from xpflow.problems.micropy.grammar import Family, Task, combinations
from xpflow.problems.micropy.render import draw_rendering, humaneval_problem, mbpp_problem
from xpflow.problems.micropy.training_problems import training_problems
from xpflow.protocols.micropy import instruction

Shape = Literal["humaneval", "mbpp"]
FAMILIES: tuple[Family, ...] = ("list", "text", "number")
ASKED = {("humaneval", "test"): 500, ("mbpp", "test"): 500, ("humaneval", "validation"): 200}
ASKED |= {("mbpp", "validation"): 200, ("mbpp", "train"): 374, ("humaneval", "train"): 374}


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Task]:
    """Record every task that a stream or set renders."""
    tasks: list[Task] = []

    def record(task: Task, rng: Random) -> Any:
        tasks.append(task)
        return draw_rendering(task, rng)

    monkeypatch.setattr(dataset, "draw_rendering", record)
    monkeypatch.setattr("xpflow.problems.micropy.training_problems.draw_rendering", record)
    return tasks


def test_sets_have_their_sizes_and_distinct_ids() -> None:
    assert ASKED == SIZES
    for (shape, split), size in SIZES.items():
        problems = load(shape, split)
        assert len(problems) == len({problem.task_id for problem in problems}) == size
        assert {(problem.split, problem.shape, problem.source) for problem in problems} == {
            (split, shape, "micropy")
        }


def test_every_combination_belongs_to_one_split() -> None:
    for family in FAMILIES:
        parts = [set(combinations_of(family, split)) for split in ("train", "validation", "test")]
        assert sum(map(len, parts)) == len(set().union(*parts)) == len(list(combinations(family)))
        assert all(parts)


def test_every_part_of_a_held_out_combination_occurs_in_training() -> None:
    for family in FAMILIES:
        trained, everything = combinations_of(family, "train"), list(combinations(family))
        for place in range(3):
            assert {c[place] for c in trained} == {c[place] for c in everything}


@pytest.mark.parametrize("seed", [0, 1])
def test_training_streams_never_hold_a_validation_or_test_combination(drawn: list[Task], seed: int) -> None:
    list(islice(training_pairs(seed), 1500))
    persona_problems(300, seed)
    training_problems(300, seed)
    assert len(drawn) >= 2100
    assert {split_of(task.family, task.combination) for task in drawn} == {"train"}


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_tasks_of_a_split_come_from_its_combinations(split: Split) -> None:
    rng = Random(0)
    tasks = [draw_training_task(rng, split) for _ in range(300)]
    assert {split_of(task.family, task.combination) for task in tasks} == {split}


def test_streams_are_deterministic_and_differ_between_seeds() -> None:
    first, again, other = (list(islice(training_pairs(seed), 20)) for seed in (7, 7, 8))
    assert first == again
    assert not set(first) & set(other)


def test_every_style_of_a_solution_passes_the_tests_in_a_jail() -> None:
    rng = Random("styles")
    items = []
    for number in range(12):
        rendering = draw_rendering(draw_training_task(rng, "test"), rng)
        problem = (mbpp_problem if number % 2 else humaneval_problem)(f"T/{number}", rendering, "test", rng)
        bodies = {body(rendering.task, rendering.names, style, rng) for style in STYLES}
        items += [(problem, f"{signature(rendering.names)}\n{text}\n") for text in sorted(bodies)]
    assert len(items) >= 24
    with Grader(workers=1) as grader:
        assert [v for v in grader.grade(items) if not v.passed] == []


@pytest.mark.parametrize(("shape", "split"), sorted(SIZES))
def test_canonical_solutions_pass_their_tests_in_a_jail(shape: Shape, split: Split) -> None:
    sample = load(shape, split)[3::50]
    with Grader(workers=1) as grader:
        assert [v for v in grader.grade([(p, p.solution) for p in sample]) if not v.passed] == []


@pytest.mark.parametrize(("shape", "split"), sorted(SIZES))
def test_a_file_of_a_set_is_read_back_equal(shape: Shape, split: Split, tmp_path: Path) -> None:
    file = tmp_path / "problems.jsonl"
    problems_to_file(file, load(shape, split))
    assert tuple(problems_from_file(file)) == load(shape, split)


@pytest.mark.parametrize("name", ["micropy-he", "micropy-mbpp", "micropy-personas"])
def test_the_export_command_writes_what_the_registry_loads(name: str, tmp_path: Path) -> None:
    file = tmp_path / "problems.jsonl"
    assert main(["problems", "export", name, "--split", "train", "--limit", "6", "--out", str(file)]) == 0
    assert problems_from_file(file) == load_benchmark(name, "train", 6)


def test_training_prompts_have_both_shapes_and_are_asked_as_the_benchmarks_are() -> None:
    """No two ask the same, and MBPP-shaped ones show an assertion that holds."""
    found = training_problems(400)
    assert found == training_problems(500)[:400]
    asked = [instruction(problem) for problem in found]
    assert len(set(asked)) == 400
    assert [problem.shape for problem in found] == ["humaneval", "mbpp"] * 200
    for problem in found[1::2][:50]:
        names: dict[str, object] = {}
        exec(problem.canonical_solution, names)  # our own code
        exec(problem.tests[0], names)
        assert asked[found.index(problem)].endswith(problem.tests[0])
    assert BENCHMARKS["micropy-training"].sizes == {"train": 24576}
    assert training_problems(3, seed=1) != found[:3]
