"""Hostile programs: each gets its verdict, nothing of it survives, and the next program is judged rightly.

Each file in `programs/` is an answer to the task "add two numbers" whose header names what it tries and the
verdicts that are right. Not covered: programs that forge a pass from inside the interpreter that they share
with the tests.
"""

from __future__ import annotations

import os
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from xpflow.errors import SandboxUnavailable
from xpflow.grading import Grader, Limits, choose_jail
from xpflow.problems import Problem

PROGRAMS = sorted((Path(__file__).parent / "programs").glob("*.py"))
TAG = "xpattack"
TESTS = ("assert add(1, 2) == 3", "assert add(-1, 1) == 0")
ADD = Problem("add", "Add two numbers.", "add", TESTS, "", "t", "t", "mbpp")
LIMITS = Limits(cpu_s=0.5, wall_s=2.5, memory_mib=128)


class Listener:
    """A TCP listener on loopback that counts who connects."""

    def __init__(self) -> None:
        self.connections = 0
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen()
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                self.socket.accept()[0].close()
            except OSError:
                return
            self.connections += 1


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    try:
        jail = choose_jail("bwrap")
    except SandboxUnavailable as error:
        pytest.skip(error.message)
    os.environ["XPFLOW_TEST_SECRET"] = TAG
    with Grader(jail, workers=1, limits=LIMITS) as opened:
        yield opened
    del os.environ["XPFLOW_TEST_SECRET"]


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    opened = Listener()
    yield opened
    opened.socket.close()


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    (tmp_path / "precious").write_text("untouched")
    tmp_path.chmod(0o777)
    return tmp_path


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_an_attack_gets_its_verdict_and_leaves_nothing(
    path: Path, grader: Grader, listener: Listener, canary: Path
) -> None:
    text = path.read_text()
    expected = re.search(r"^# EXPECT: (.+)$", text, re.MULTILINE)[1].split()
    for name, value in (("@CANARY@", canary), ("@PORT@", listener.port), ("@TAG@", TAG)):
        text = text.replace(name, str(value))
    (verdict,) = grader.grade([(ADD, text)])
    assert verdict.verdict in expected, verdict
    assert survivors() == []
    assert [(file.name, file.read_text()) for file in canary.iterdir()] == [("precious", "untouched")]
    assert listener.connections == 0
    honest = f"def add(a, b):\n    return a + b  # after {path.stem}\n"
    wrong = f"def add(a, b):\n    return a - b  # after {path.stem}\n"
    assert [v.verdict for v in grader.grade([(ADD, honest), (ADD, wrong)])] == ["passed", "wrong"]


def test_files_do_not_pass_from_one_program_to_the_next(grader: Grader) -> None:
    leave = "open('/tmp/left', 'w').write('x')\ndef add(a, b): return a + b\n"
    look = "import os\nassert not os.path.exists('/tmp/left')\ndef add(a, b): return a + b\n"
    assert [v.verdict for v in grader.grade([(ADD, leave), (ADD, look)])] == ["passed", "passed"]


def test_a_pass_of_many_hostile_programs_leaves_no_descriptor_open(grader: Grader) -> None:
    hostile = [(ADD, f"import os; os._exit({i % 256})  # {i}") for i in range(60)]
    grader.grade(hostile[:5])
    before = len(os.listdir("/proc/self/fd"))
    grader.grade(hostile)
    assert len(os.listdir("/proc/self/fd")) == before


def survivors() -> list[str]:
    """Return the processes of this machine that carry the attacks' tag."""
    found = []
    for comm in Path("/proc").glob("[0-9]*/comm"):
        try:
            if TAG in comm.read_text():
                found.append(str(comm))
        except OSError:
            continue
    return found
