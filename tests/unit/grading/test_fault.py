"""What is not the program's fault is not charged to it: tests, set-up code, limits, judges, the jail."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from xpflow.errors import GradingError, SandboxUnavailable
from xpflow.grading import grade as grading
from xpflow.grading.extraction.rule import Extraction, extract
from xpflow.grading.grade import Grader
from xpflow.grading.jails.choose import choose_jail
from xpflow.grading.verdict import Limits, Verdict
from xpflow.problems import Problem
from xpflow.problems.benchmark import load_benchmark
from xpflow.problems.shapes.answer import SHAPE as ANSWER

PROMPT = "def add(a, b):\n"
BODY = "    return a + b\n"
CHECK = "def check(f):\n    assert f(1, 2) == 3\n"
HE = Problem("he/7", PROMPT, "add", (CHECK,), BODY, "t", "t", "humaneval")
FULL = PROMPT + BODY
MBPP = Problem("mbpp/7", "Add.", "add", ("assert add(1, 2) == 3",), FULL, "t", "t", "mbpp")
NONE_THERE = "def add(a, b):\n    return None\n"


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    try:
        jail = choose_jail("bwrap")
    except SandboxUnavailable as error:
        pytest.skip(error.message)
    with Grader(jail, workers=2, record_infrastructure=True) as opened:
        yield opened


def grade(grader: Grader, problem: Problem, program: str) -> Verdict:
    return grader.grade([(problem, program)])[0]


EMPTY_TESTS = [
    "assert (f(1, 2) == 3, 'a tuple')",
    "assert f(1, 2) == 3 or True",
    "f(1, 2) == 3",
    "try:\n        assert f(1, 2) == 3\n    except Exception:\n        pass",
]


@pytest.mark.parametrize("test", EMPTY_TESTS)
def test_tests_that_pass_anything_are_named(grader: Grader, test: str) -> None:
    empty = replace(HE, tests=(f"def check(f):\n    {test}\n",))
    assert grader.accepting_anything([HE, empty, MBPP]) == [empty.task_id]
    assert grader.accepting_anything([replace(MBPP, tests=("assert add(1, 2) or 1",)), MBPP]) == ["mbpp/7"]


@pytest.mark.parametrize("test", ["f(1, 2)", "f(1, 2) is None", "f(1, 2) != 4 and f(1, 2) is not None"])
def test_tests_that_some_program_fails_are_not(grader: Grader, test: str) -> None:
    assert grader.accepting_anything([replace(HE, tests=(f"def check(f):\n    assert {test}\n",))]) == []


NUMPY = f"import numpy as np\n{CHECK}    assert np.allclose([f(0.1, 0.2)], [0.3])\n"


def test_tests_may_import_numpy_and_the_program_may_not(grader: Grader) -> None:
    problem = replace(HE, tests=(NUMPY,))
    assert grade(grader, problem, FULL).passed
    assert grade(grader, problem, PROMPT + "    return a - b\n").verdict == "wrong"
    assert "ModuleNotFoundError" in grade(grader, problem, "import numpy\n" + FULL).reason
    assert grade(grader, replace(MBPP, setup="import numpy as np"), FULL).passed


@pytest.mark.parametrize(
    ("problem", "program", "word"),
    [
        (MBPP, "def sub(a, b):\n    return a + b\n", "NameError"),
        (MBPP, "import numpy\n" + FULL, "ModuleNotFoundError"),
        (MBPP, "open('data.csv')\n" + FULL, "FileNotFoundError"),
        (replace(MBPP, tests=("assert add([1], [2])[0] == 1",)), NONE_THERE, "TypeError"),
        (replace(MBPP, tests=("assert add.x",), canonical_solution=""), FULL, "AttributeError"),
        (HE, "x = 1\n", "defines no 'add'"),
        (replace(HE, canonical_solution=""), "import numpy\n" + FULL, "ModuleNotFoundError"),
        (MBPP, "import os\nos.kill(os.getpid(), 11)\n", "SIGSEGV"),
    ],
    ids=str,
)
def test_a_program_that_fails_where_the_solution_does_not_is_in_error(
    grader: Grader, problem: Problem, program: str, word: str
) -> None:
    found = grade(grader, problem, program)
    assert (found.verdict, word in found.reason) == ("error", True), found


def test_the_problem_is_named_and_the_others_are_not_lost(grader: Grader) -> None:
    broken = replace(MBPP, task_id="mbpp/8", setup="1 / 0")
    verdicts = grader.grade([(MBPP, FULL), (broken, FULL), (HE, FULL)])
    assert [verdict.verdict for verdict in verdicts] == ["passed", "infrastructure", "passed"]
    with (
        Grader("bwrap", workers=1) as strict,
        pytest.raises(GradingError, match=r"mbpp/8: its set-up code cannot be run: ZeroDivisionError"),
    ):
        strict.grade([(MBPP, FULL), (broken, FULL)])


def test_a_program_longer_than_a_message_is_graded(grader: Grader) -> None:
    padding = "#" + "é" * (9 << 20) + "\n"
    assert grade(grader, MBPP, padding + FULL).passed
    assert grade(grader, MBPP, FULL.replace("+", "-") + padding).verdict == "wrong"


def test_a_program_without_end_is_in_error_and_takes_no_other_with_it(
    grader: Grader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grading, "PROGRAM_LIMIT", 1000)
    found = grader.grade([(MBPP, "#" * 1001), (MBPP, FULL)])
    assert [verdict.verdict for verdict in found] == ["error", "passed"]


@pytest.mark.parametrize("limits", [Limits(memory_mib=1), Limits(open_files=1)], ids=str)
def test_limits_under_which_nothing_runs_are_no_verdict(limits: Limits) -> None:
    with Grader("bwrap", workers=1, limits=limits) as grader, pytest.raises(GradingError) as caught:
        grader.grade([(MBPP, FULL)])
    assert "a program that does next to nothing" in caught.value.message
    assert "memory_mib" in caught.value.hint


def test_what_a_jail_cannot_set_up_is_no_verdict() -> None:
    """Whatever exception it is: here an OverflowError, from a limit that slipped through every check."""
    limits = Limits(retries=0)
    object.__setattr__(limits, "cpu_s", 1e300)
    object.__setattr__(limits, "wall_s", 1.0)
    with (
        Grader("bwrap", workers=1, limits=limits) as grader,
        pytest.raises(GradingError, match="cannot set the limits: OverflowError"),
    ):
        grader.grade([(MBPP, FULL)])


def test_a_judge_or_a_rule_that_fails_is_named_with_the_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyError("oops")

    broken = replace(ANSWER, judge=fail)
    monkeypatch.setattr(Problem, "kind", property(lambda _: broken))
    with pytest.raises(GradingError, match=r"shape 'answer' failed on an answer to probe/0: KeyError"):
        grading.judged(ANSWER.example, "42")
    monkeypatch.undo()
    rule = Extraction("x", "x", fail)  # type: ignore[arg-type]
    monkeypatch.setattr("xpflow.grading.extraction.rule.EXTRACTIONS", {"x": rule})
    with pytest.raises(GradingError, match=r"rule 'x' failed on an answer to he/7: KeyError"):
        extract("text", HE, "x")


def test_the_solutions_of_humaneval_pass_with_tests_in_the_manner_of_humaneval_plus(grader: Grader) -> None:
    """Their inputs and results are lists, and a comparison with numpy follows the exact one."""
    harness = (
        "import numpy as np\n"
        "def assertion(out, exp, atol):\n"
        "    exact = out == exp\n"
        "    if not exact and isinstance(exp, float):\n"
        "        assert type(out) == type(exp)\n"
        "        assert np.allclose(out, exp, rtol=1e-07, atol=1e-6)\n"
        "    else:\n"
        "        assert exact\n"
        "def check(candidate):\n"
        "    inputs = [[3.5], [1.33], [123.456]]\n"
        "    results = [0.5, 0.33, 0.456]\n"
        "    for inp, exp in zip(inputs, results):\n"
        "        assertion(candidate(*inp), exp, 0)\n"
    )
    problem = replace(load_benchmark("humaneval")[2], tests=(harness,))
    assert grade(grader, problem, problem.solution).passed
    assert grade(grader, problem, problem.prompt + "    return number\n").verdict == "wrong"
