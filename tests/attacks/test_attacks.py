"""Hostile programs under every jail that works here: each gets its verdict, and nothing of it survives.

Each file in `programs/` is an answer to a small task; its header says what it tries (WHAT), its CLASS
(verdict: forge the result; containment: reach something outside; resource: exhaust something), the PROBLEM
that it answers (default: add two numbers) and the verdicts that are right (EXPECT). The whole corpus runs in
one warm grader, with an honest and a wrong program after each attack, so a worker that one has bent is seen;
those that leave something for their next run (`*_leftover`) run twice. A `.txt` file is a text that editors
and git would not leave as it is, with Python's string escapes.
`unsafe-local` contains nothing and says so: there only attempts to forge a verdict are run.
"""

from __future__ import annotations

import codecs
import os
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from xpflow.grading import JAILS, Grader, Limits, Verdict
from xpflow.problems import Problem

PROGRAMS = sorted((Path(__file__).parent / "programs").glob("*.[pt][yx]*"))
LIMITS = Limits(cpu_s=0.5, wall_s=1.5, memory_mib=128)
WORKING = [name for name, jail in JAILS.items() if jail.why_not() is None]
PROMPT = 'def add(a: int, b: int) -> int:\n    """Add two numbers."""\n'
CHECK = "def check(candidate):\n    assert candidate(1, 2) == 3\n    assert candidate(-1, 1) == 0\n"
SUMS = ("assert add(1, 2) == 3", "assert add(-1, 1) == 0")
NEAR = ("assert abs(add(0.1, 0.2) - 0.3) < 1e-9", "assert abs(add(1.5, 2.5) - 4.0) < 1e-9")
PROBLEMS = {
    "int": Problem("add", "Add two numbers.", "add", SUMS, "", "t", "t", "mbpp"),
    "float": Problem("add", "Add two numbers.", "add", NEAR, "", "t", "t", "mbpp"),
    "humaneval": Problem("add", PROMPT, "add", (CHECK,), "", "t", "t", "humaneval"),
}
HONEST = "def add(a, b):\n    return a + b  # after {}\n"
WRONG = "def add(a, b):\n    return a - b  # after {}\n"


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


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What the corpus left: verdicts by attack, honest and wrong programs, canaries, descriptors, visits."""

    verdicts: dict[str, Verdict]
    after: dict[str, tuple[str, str]]
    canaries: dict[str, list[tuple[str, str]]]
    survivors: list[str]
    descriptors: tuple[int, int]
    visits: int


def attacks_for(jail: str) -> list[Attack]:
    return [attack for attack in ATTACKS if JAILS[jail].contains or attack.kind == "verdict"]


@pytest.fixture(scope="module", params=WORKING)
def aftermath(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Aftermath]:
    attacks, listener = attacks_for(request.param), Listener()
    folders = {attack.name: tmp_path_factory.mktemp(attack.name) for attack in attacks}
    items = []
    for attack in attacks:
        (folders[attack.name] / "precious").write_text("untouched")
        folders[attack.name].chmod(0o777)
        items += [(attack.problem, filled(attack, folders[attack.name], listener.port))]
        items += [(PROBLEMS["int"], text.format(attack.name)) for text in (HONEST, WRONG)]
    os.environ["XPFLOW_TEST_SECRET"] = "xpflow-secret"
    with Grader(JAILS[request.param], workers=2, limits=LIMITS) as grader:
        grader.grade(items[1:3])
        before = len(os.listdir("/proc/self/fd"))
        found = grader.grade(items)
        again = [(items[3 * place][0], items[3 * place][1] + "\n# again") for place in twice(attacks)]
        second = dict(zip(twice(attacks), grader.grade(again), strict=True))
        descriptors = (before, len(os.listdir("/proc/self/fd")))
    del os.environ["XPFLOW_TEST_SECRET"]
    names = [attack.name for attack in attacks]
    triples = list(zip(names, found[::3], found[1::3], found[2::3], strict=True))
    yield Aftermath(
        {name: second.get(place, first) for place, (name, first, _, _) in enumerate(triples)},
        {name: (honest.verdict, wrong.verdict) for name, _, honest, wrong in triples},
        {name: contents(folders[name]) for name in names},
        survivors(),
        descriptors,
        listener.visits,
    )
    listener.close()


def twice(attacks: list[Attack]) -> list[int]:
    """Return the places of the attacks that look for what their own first run left."""
    return [i for i, a in enumerate(attacks) if a.name.endswith("_leftover") or a.name == "abstract_socket"]


def filled(attack: Attack, canary: Path, port: int) -> str:
    text = attack.text
    for name, value in (("@CANARY@", canary), ("@PORT@", port), ("@TAG@", attack.tag)):
        text = text.replace(name, str(value))
    return codecs.decode(text, "unicode_escape") if attack.path.suffix == ".txt" else text


def contents(folder: Path) -> list[tuple[str, str]]:
    return [(file.name, file.read_text()) for file in folder.iterdir()]


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


def test_the_corpus_is_what_its_headers_say() -> None:
    kinds = {attack.kind for attack in ATTACKS}
    assert kinds == {"verdict", "containment", "resource"}
    assert len({attack.text for attack in ATTACKS}) == len(ATTACKS) >= 60


def test_every_attack_gets_its_verdict(aftermath: Aftermath) -> None:
    by_name = {attack.name: attack for attack in ATTACKS}
    wrong = {n: v for n, v in aftermath.verdicts.items() if v.verdict not in by_name[n].expected}
    assert wrong == {}


def test_the_programs_after_an_attack_are_judged_rightly(aftermath: Aftermath) -> None:
    assert {n: pair for n, pair in aftermath.after.items() if pair != ("passed", "wrong")} == {}


def test_no_attack_leaves_anything(aftermath: Aftermath) -> None:
    assert aftermath.survivors == []
    touched = {n: c for n, c in aftermath.canaries.items() if c != [("precious", "untouched")]}
    assert touched == {}
    assert aftermath.visits == 0


def test_the_grader_keeps_no_descriptor_open(aftermath: Aftermath) -> None:
    before, after = aftermath.descriptors
    assert after <= before


@pytest.mark.parametrize("jail", [name for name in WORKING if JAILS[name].contains])
def test_files_do_not_pass_from_one_program_to_the_next(jail: str) -> None:
    leave = "open('/tmp/left', 'w').write('x')\ndef add(a, b): return a + b\n"
    look = "import os\nassert not os.path.exists('/tmp/left')\ndef add(a, b): return a + b\n"
    with Grader(jail, workers=1, limits=LIMITS) as grader:
        found = grader.grade([(PROBLEMS["int"], leave), (PROBLEMS["int"], look)])
    assert [v.verdict for v in found] == ["passed", "passed"]
