"""The corpus of hostile programs in tests/attacks/programs: problems, headers, and what is left after it."""

from __future__ import annotations

import codecs
import os
import re
import socket
import threading
from dataclasses import dataclass
from pathlib import Path

from xpflow.grading.verdict import Limits
from xpflow.problems import Problem

PROGRAMS = sorted((Path(__file__).parents[1] / "attacks" / "programs").glob("*.[pt][yx]*"))
LIMITS = Limits(cpu_s=0.5, wall_s=1.5, memory_mib=128)
PROMPT = 'def add(a: int, b: int) -> int:\n    """Add two numbers."""\n'
CHECK = "def check(candidate):\n    assert candidate(1, 2) == 3\n    assert candidate(-1, 1) == 0\n"
SUMS = ("assert add(1, 2) == 3", "assert add(-1, 1) == 0")
NEAR = ("assert abs(add(0.1, 0.2) - 0.3) < 1e-9", "assert abs(add(1.5, 2.5) - 4.0) < 1e-9")
PROBLEMS = {
    "int": Problem("add", "Add two numbers.", "add", SUMS, "", "t", "t", "mbpp"),
    "float": Problem("add", "Add two numbers.", "add", NEAR, "", "t", "t", "mbpp"),
    "humaneval": Problem("add", PROMPT, "add", (CHECK,), "", "t", "t", "humaneval"),
}


@dataclass(frozen=True, slots=True)
class Attack:
    """One program of the corpus."""

    path: Path
    kind: str
    problem: Problem
    expected: tuple[str, ...]
    text: str

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def tag(self) -> str:
        """A name of at most 15 characters (a process's name), the attack's own."""
        return f"xpa{PROGRAMS.index(self.path):03d}x"


def read(path: Path) -> Attack:
    text = path.read_text(encoding="utf-8")
    header = dict(re.findall(r"^# ([A-Z]+): (.+)$", text, re.MULTILINE))
    expected = tuple(header["EXPECT"].split())
    return Attack(path, header["CLASS"], PROBLEMS[header.get("PROBLEM", "int")], expected, text)


ATTACKS = [read(path) for path in PROGRAMS]


class Listener:
    """TCP and UDP on loopback; counts who comes."""

    def __init__(self) -> None:
        self.visits = 0
        self.tcp = socket.socket()
        self.tcp.bind(("127.0.0.1", 0))
        self.tcp.listen()
        self.port = self.tcp.getsockname()[1]
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", self.port))
        for wait in (self.tcp.accept, lambda: self.udp.recvfrom(100)):
            threading.Thread(target=self._count, args=(wait,), daemon=True).start()

    def _count(self, wait) -> None:
        while True:
            try:
                wait()
            except OSError:
                return
            self.visits += 1

    def close(self) -> None:
        self.tcp.close()
        self.udp.close()


def filled(attack: Attack, canary: Path, port: int) -> str:
    text = attack.text
    for name, value in (("@CANARY@", canary), ("@PORT@", port), ("@TAG@", attack.tag)):
        text = text.replace(name, str(value))
    return codecs.decode(text, "unicode_escape") if attack.path.suffix == ".txt" else text


def survivors() -> list[str]:
    """Return processes, files, sockets and shared memory of this machine that carry an attack's tag."""
    found = [str(path) for path in Path("/proc").glob("[0-9]*/comm") if tagged(path)]
    places = ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", str(Path.home()))
    found += [
        str(file)
        for place in places
        if os.path.isdir(place)
        for file in Path(place).iterdir()
        if TAG.search(file.name)
    ]
    return found + [line for line in Path("/proc/net/unix").read_text().splitlines() if TAG.search(line)]


TAG = re.compile(r"xpa\d{3}x")


def tagged(path: Path) -> bool:
    try:
        return TAG.search(path.read_text()) is not None
    except OSError:
        return False
