"""What the trusted code of a problem may do to the grader, and what no program can then be judged by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from xpflow.errors import GradingError, SandboxUnavailable
from xpflow.grading.grade import Grader
from xpflow.grading.jails.choose import choose_jail
from xpflow.grading.verdict import Limits, Verdict
from xpflow.problems import Problem

PROMPT = "def add(a, b):\n"
BODY = "    return a + b\n"
CHECK = "def check(f):\n    assert f(1, 2) == 3\n"
FULL = PROMPT + BODY
HE = Problem("he/7", PROMPT, "add", (CHECK,), BODY, "t", "t", "humaneval")
MBPP = Problem("mbpp/7", "Add.", "add", ("assert add(1, 2) == 3",), FULL, "t", "t", "mbpp")
BARE = replace(HE, canonical_solution="")


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    try:
        jail = choose_jail("bwrap")
    except SandboxUnavailable as error:
        pytest.skip(error.message)
    with Grader(jail, workers=1, record_infrastructure=True) as opened:
        yield opened


def grade(grader: Grader, problem: Problem, program: str = FULL) -> Verdict:
    found, after = grader.grade([(problem, program), (replace(MBPP, task_id="after"), FULL)])
    assert after.passed, "a problem's tests have spoilt those of the next"
    return found


@pytest.mark.parametrize(
    "code",
    [
        "print('all', 'well', flush=True)",
        "print('x' * 100_000)",
        "import os; os.write(1, b'hello')",
        "import os, contextlib\nwith contextlib.suppress(OSError):\n    os.close(1)",
        "import sys; sys.stdin.read(1)",
        "import os\nif os.fork() == 0:\n    os._exit(0)",
        "import os; os.fork()",
        "import os\nchild = os.fork()\nchild or os._exit(7)\nassert os.waitpid(child, 0)[1] == 7 << 8",
        "import signal; signal.signal(signal.SIGALRM, signal.SIG_DFL); signal.alarm(0)",
    ],
)
def test_tests_may_print_read_and_fork_and_the_grader_goes_on(grader: Grader, code: str) -> None:
    assert grade(grader, replace(MBPP, setup=code)).passed
    assert grade(grader, replace(HE, tests=(f"{code}\n{CHECK}",))).passed
    assert grade(grader, replace(MBPP, setup=code), "def add(a, b):\n    return 0\n").verdict == "wrong"


NONSENSE = "x = = 1\n"


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (replace(HE, tests=("import no_such_module\n" + CHECK,)), "its tests cannot be run: ModuleNotFoundE"),
        (replace(HE, tests=(CHECK.replace("check", "chekc"),)), "its tests define no `check`"),
        (replace(HE, tests=("def check(f):\n  assert f(",)), "cannot be compiled: SyntaxError"),
        (replace(HE, tests=("x = 1 / 0\n" + CHECK,)), "its tests cannot be run: ZeroDivisionError"),
        (replace(HE, tests=("exit()\n" + CHECK,)), "its tests cannot be run: NameError"),
        (replace(HE, tests=("raise SystemExit\n" + CHECK,)), "its tests end the process (SystemExit"),
        (
            replace(HE, tests=("import os\nos._exit(3)\n" + CHECK,)),
            "its tests end the process (SystemExit: 3)",
        ),
        (replace(MBPP, setup="import sys\nsys.exit()"), "its set-up code ends the process (SystemExit"),
        (
            replace(HE, tests=(f"import os\n{CHECK}    os._exit(0)\n",)),
            "the tests end the process) in test 1",
        ),
        (replace(HE, tests=(f"import os\n{CHECK}    os.abort()\n",)), "while the tests ran: they end its"),
        (replace(HE, tests=(f"{CHECK}    nowhere\n",)), "in the same way: NameError"),
        (replace(HE, prompt='"""\ud83d"""\n' + PROMPT), "cannot be compiled: UnicodeEncodeError"),
        (replace(HE, prompt="import no_such_module\n" + PROMPT), "in the same way: ModuleNotFoundError"),
        (replace(HE, entry_point="sub"), "in the same way: the program defines no 'sub'"),
        (replace(MBPP, setup="raise RuntimeError('no')"), "its set-up code cannot be run: RuntimeError: no"),
        (replace(MBPP, setup="import no_such_module"), "its set-up code cannot be run: ModuleNotFoundError"),
        (replace(MBPP, setup="open('data.csv')"), "its set-up code cannot be run: FileNotFoundError"),
        (replace(MBPP, setup="assert 1 == 2"), "in the same way: AssertionError"),
        (replace(MBPP, setup="x = len(5)"), "in the same way: TypeError"),
        (replace(MBPP, setup="def"), "cannot be compiled: SyntaxError"),
        (replace(MBPP, tests=("assert add(1) == 3",)), "in the same way: TypeError"),
        (replace(HE, tests=("def check(f):\n    assert f(1, 2, 3) == 3\n",)), "in the same way: TypeError"),
        (replace(MBPP, tests=("assert add(1, 2) == three",)), "in the same way: NameError"),
        (replace(MBPP, tests=("assert add(1, 2)[0] == 3",)), "in the same way: TypeError"),
        (
            replace(MBPP, canonical_solution="import numpy\n" + FULL),
            "in the same way: ModuleNotFoundError",
        ),
        (
            replace(MBPP, canonical_solution="x = bytearray(8 << 30)\n" + FULL),
            "in the same way: MemoryError",
        ),
        (replace(MBPP, setup="raise KeyboardInterrupt"), "set-up code cannot be run: KeyboardInterrupt"),
        (replace(MBPP, setup="raise GeneratorExit"), "set-up code cannot be run: GeneratorExit"),
        (replace(HE, tests=(f"{CHECK}    raise KeyboardInterrupt\n",)), "same way: KeyboardInterrupt"),
        (replace(HE, tests=(CHECK.replace("def", "async def"),)), "is a coroutine or a generator"),
        (replace(HE, tests=(f"{CHECK}    yield\n",)), "is a coroutine or a generator"),
        (replace(HE, tests=("def check(f):\n    pass\n",)), "never call the program"),
        (replace(MBPP, tests=("assert callable(add)",)), "never call the program"),
        (replace(HE, prompt="def add(a, b:\n"), "own solution ends in the same way: SyntaxError"),
        (replace(HE, prompt="1 / 0\n" + PROMPT), "own solution ends in the same way: ZeroDivisionError"),
        (replace(HE, prompt="def add(a: List[int], b):\n"), "in the same way: NameError"),
        (replace(MBPP, canonical_solution=FULL + "\0"), "in the same way: SyntaxError"),
        (replace(MBPP, canonical_solution=FULL + "#\ud800"), "in the same way: UnicodeEncodeError"),
        (replace(BARE, prompt=NONSENSE + PROMPT), "its prompt, with an empty body, ends in the same way"),
        (replace(BARE, prompt="1 / 0\n" + PROMPT), "in the same way: ZeroDivisionError"),
        (replace(BARE, prompt="def add(a: List[int], b):\n"), "in the same way: NameError"),
        (replace(BARE, entry_point="sub"), "in the same way: the program defines no 'sub'"),
        (replace(BARE, tests=(CHECK.replace("(f)", "(f, g)"),)), "in the same way: TypeError"),
    ],
    ids=str,
)
def test_what_no_program_can_pass_is_not_charged_to_one(grader: Grader, problem: Problem, words: str) -> None:
    given = problem.solution if problem.canonical_solution else problem.prompt + BODY
    found = grade(grader, problem, given)
    assert (found.verdict, words in found.reason) == ("infrastructure", True), found


@pytest.mark.parametrize(
    ("problem", "program"),
    [
        (HE, "def add(a, b):\n    return (\n"),
        (HE, "1 / 0\n" + FULL),
        (BARE, "def add(a, b):\n    return (\n"),
        (BARE, "1 / 0\n" + FULL),
        (BARE, PROMPT + "    return nothing\n"),
        (replace(BARE, tests=(CHECK.replace("f(1, 2)", "f(1, 2)[0]"),)), PROMPT + "    return None\n"),
        (replace(BARE, prompt="# A function add.\n"), "# A function add.\nx = 1\n"),
        (replace(BARE, prompt="def one():\n    return 1\n"), "def one():\n    return 1\ndef ad"),
        (replace(BARE, prompt="ONE = 1\n"), "ONE = 1\ndef sub(a, b):\n    return a\n"),
    ],
    ids=str,
)
def test_what_the_prompt_does_not_bring_about_is_charged_to_the_program(
    grader: Grader, problem: Problem, program: str
) -> None:
    assert grade(grader, problem, program).verdict == "error"


@pytest.mark.parametrize(
    "problem",
    [
        replace(MBPP, setup="while True: pass"),
        replace(MBPP, setup="while True: pass", canonical_solution=""),
        replace(BARE, tests=("while True: pass\n" + CHECK,)),
    ],
    ids=str,
)
def test_trusted_code_without_end_is_no_timeout_of_the_program(problem: Problem) -> None:
    limits = Limits(wall_s=1, cpu_s=1, retries=0)
    with Grader("bwrap", workers=1, limits=limits, record_infrastructure=True) as grader:
        found = grader.grade([(problem, FULL)])[0]
    assert found.verdict == "infrastructure"
    assert "took too long before the program was called" in found.reason


def test_a_solution_that_takes_too_long_judges_no_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("xpflow.grading.grade.CANONICAL_S", 1.5)
    endless = "def add(a, b):\n    while True: pass\n"
    problem = replace(MBPP, canonical_solution=endless)
    with Grader("bwrap", workers=1, limits=Limits(cpu_s=0.5), record_infrastructure=True) as grader:
        found = grader.grade([(problem, endless)])[0]
    assert (found.verdict, "limit of" in found.reason) == ("infrastructure", True), found


def test_an_entry_point_without_a_name_is_an_error_before_anything_runs(grader: Grader) -> None:
    with pytest.raises(GradingError, match="he/7 names no entry point"):
        grader.grade([(replace(HE, entry_point=""), FULL)])
