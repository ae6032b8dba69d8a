"""Verdicts of real programs in a real jail, and what happens when the machinery fails."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from fakes.jails import ADD, fake
from xpflow.errors import DataError, GradingError, SandboxUnavailable
from xpflow.grading.grade import Grader, grade_program
from xpflow.grading.jails import JAILS
from xpflow.grading.jails.base import Jail, Launch
from xpflow.grading.jails.choose import choose_jail
from xpflow.grading.samples import grade_samples
from xpflow.grading.verdict import Limits
from xpflow.problems import Problem
from xpflow.problems.benchmark import load_benchmark

RIGHT = "def add(a, b):\n    return a + b\n"


@pytest.fixture(scope="module", params=sorted(JAILS))
def grader(request: pytest.FixtureRequest) -> Iterator[Grader]:
    try:
        jail = choose_jail(request.param)
    except SandboxUnavailable as error:
        pytest.skip(error.message)
    with Grader(jail, workers=2, limits=Limits(cpu_s=0.5, wall_s=10.0)) as opened:
        yield opened


@pytest.mark.parametrize(
    ("program", "verdict", "reason"),
    [
        (RIGHT, "passed", ""),
        ("def add(a, b):\n    return 3\n", "wrong", "test 2: assert add(-1, 1) == 0"),
        ("def add(a, b):\n    return 1 / 0\n", "error", "ZeroDivisionError in test 1"),
        ("def add(a, b):\n    assert False\n", "error", "AssertionError"),
        ("def sub(a, b):\n    return a + b\n", "error", "NameError"),
        ("def add(a, b:\n", "error", "SyntaxError"),
        ("def add(a, b):\n    while True: pass\n", "timeout", "limit of"),
        ("x = bytearray(8 << 30)\n", "memory", "MemoryError"),
        ("x = '\ud800'\n", "error", "Unicode"),
        ("import sys\nsys.exit(0)\n", "error", "SystemExit"),
        ("import threading, heapq, dataclasses, zoneinfo, sqlite3\n" + RIGHT, "passed", ""),
        ("import torch\n" + RIGHT, "error", "ModuleNotFoundError"),
        ("input()\n" + RIGHT, "error", "EOFError"),
        ("print('x' * 10**6)\n" + RIGHT, "passed", ""),
        ("if __name__ == '__main__':\n    1 / 0\n" + RIGHT, "passed", ""),
    ],
)
def test_each_verdict(grader: Grader, program: str, verdict: str, reason: str) -> None:
    (found,) = grader.grade([(ADD, program)])
    assert (found.task_id, found.verdict) == ("add", verdict), found
    assert reason in found.reason


def test_order_is_that_of_the_items_and_equal_programs_run_once(grader: Grader) -> None:
    items = [(ADD, RIGHT if i % 3 else f"x = {i % 2}") for i in range(30)]
    calls: list[tuple[int, int]] = []
    verdicts = grader.grade(items, lambda done, total: calls.append((done, total)))
    assert [v.verdict for v in verdicts] == ["passed" if i % 3 else "error" for i in range(30)]
    assert calls == [(1, 3), (2, 3), (3, 3)]


def test_hashing_and_random_numbers_are_the_same_in_every_worker(grader: Grader) -> None:
    program = "import random\ndef add(a, b):\n    raise ValueError(f'{hash(str(7))} {random.random()}')\n"
    reasons = {v.reason for v in grader.grade([(ADD, program + f"# {i}") for i in range(6)])}
    assert len(reasons) == 1


def test_mbpp_setup_runs_between_the_code_and_the_asserts(grader: Grader) -> None:
    problem = Problem("s", "", "box", ("assert made == [1]",), "", "t", "t", "mbpp", setup="made = box(1)")
    (verdict,) = grader.grade([(problem, "def box(value):\n    return [value]\n")])
    assert (verdict.verdict, verdict.mode) == ("passed", "strict")


def test_tests_that_build_the_programs_own_objects_are_shared_and_say_so(grader: Grader) -> None:
    program = "class Box:\n    def __init__(self, value):\n        self.value = value\n"
    parts = ("s", "", "Box", ("assert box.value == 1",), program, "t", "t", "mbpp", "box = Box(1)")
    (verdict,) = grader.grade([(Problem(*parts), program)])
    assert (verdict.verdict, verdict.mode) == ("passed", "shared")


def test_a_program_cannot_bring_the_shared_mode_about(grader: Grader) -> None:
    program = "class add:\n    def __new__(cls, a, b):\n        return a + b\n"
    (verdict,) = grader.grade([(ADD, program)])
    assert (verdict.verdict, verdict.mode) == ("passed", "strict")


def test_a_missing_entry_point_is_an_error_that_names_it(grader: Grader) -> None:
    problem = load_benchmark("humaneval", limit=1)[0]
    (verdict,) = grader.grade([(problem, "x = 1")])
    assert verdict.verdict == "error"
    assert "has_close_elements" in verdict.reason


def test_all_humaneval_solutions_pass(grader: Grader) -> None:
    problems = load_benchmark("humaneval")
    verdicts = grader.grade([(problem, problem.solution) for problem in problems])
    assert [v for v in verdicts if not v.passed] == []
    assert len(verdicts) == 164


@pytest.mark.parametrize("name", ["micropy-he", "micropy-mbpp"])
def test_micropy_solutions_pass_and_their_absence_does_not(grader: Grader, name: str) -> None:
    problems = load_benchmark(name, "validation", limit=40)
    assert all(v.passed for v in grader.grade([(problem, problem.solution) for problem in problems]))
    empty = [(problem, problem.prompt if problem.shape == "humaneval" else "pass") for problem in problems]
    assert not any(v.passed for v in grader.grade(empty))


def test_problems_without_tests_cannot_be_graded() -> None:
    prompt_only = Problem("p", "", "f", (), "", "t", "t", "mbpp")
    with pytest.raises(GradingError, match="p has no tests"):
        grade_program(prompt_only, "", fake())


@pytest.mark.parametrize("word", ["die", "garbage", "unconfined"])
def test_a_failure_of_the_machinery_is_retried_then_raised_and_never_a_verdict(word: str) -> None:
    with (
        Grader(fake(), workers=2, limits=Limits(retries=1)) as grader,
        pytest.raises(GradingError, match="1 of 3 programs could not be graded"),
    ):
        grader.grade([(ADD, "passed"), (ADD, word), (ADD, "wrong")])


def test_a_failure_of_the_machinery_can_be_recorded_and_the_workers_go_on() -> None:
    with Grader(fake(), workers=2, record_infrastructure=True) as grader:
        found = grader.grade([(ADD, word) for word in ("passed", "die", "wrong", "garbage", "error")])
        assert [v.verdict for v in found] == ["passed", "infrastructure", "wrong", "infrastructure", "error"]
        assert "told to die" in found[1].reason
        assert grader.grade([(ADD, "passed")])[0].passed


def test_a_call_that_was_interrupted_does_not_disturb_the_next() -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with Grader(fake(), workers=2) as grader:
        with pytest.raises(KeyboardInterrupt):
            grader.grade([(ADD, "passed"), (ADD, "wrong"), (ADD, "error")], interrupt)
        assert [v.verdict for v in grader.grade([(ADD, "memory"), (ADD, "wrong")])] == ["memory", "wrong"]


def test_a_worker_that_does_not_start_is_replaced() -> None:
    assert grade_program(ADD, "passed", fake(first_dies=True)).passed


def test_workers_that_never_start_are_an_error_that_says_why() -> None:
    command = [sys.executable, "-c", "1 / 0"]
    broken = Jail("broken", True, lambda: None, lambda folder, seat, _: Launch(command, {}, folder))
    with pytest.raises(SandboxUnavailable, match="ZeroDivisionError"):
        grade_program(ADD, "passed", broken)


def test_samples_are_graded_in_order_and_bad_rows_are_named() -> None:
    rows = [{"task_id": "add", "completion": "passed", "nfe": 4}, {"task_id": "add", "completion": "wrong"}]
    assert [v.verdict for v in grade_samples([ADD], rows, fake(), 1)] == ["passed", "wrong"]
    with pytest.raises(DataError, match=r"sample 1: no problem 'sub'"):
        grade_samples([ADD], [{"task_id": "sub", "completion": ""}], fake())
    with pytest.raises(DataError, match=r"sample 2, field 'completion'"):
        grade_samples([ADD], [rows[0], {"task_id": "add"}], fake())


def test_an_unknown_jail_is_named_with_its_neighbour() -> None:
    with pytest.raises(SandboxUnavailable, match="bwrap"):
        choose_jail("bwarp")


def test_unsafe_local_says_that_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    from xpflow.grading.jails import choose

    choose._warn.cache_clear()
    choose_jail("unsafe-local")
    assert "generated code runs as your user" in capsys.readouterr().err
