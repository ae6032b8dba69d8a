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

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fakes.corpus import ATTACKS, LIMITS, PROBLEMS, Attack, Listener, filled, survivors
from xpflow.grading.grade import Grader
from xpflow.grading.jails import JAILS
from xpflow.grading.verdict import Verdict

pytestmark = pytest.mark.slow
WORKING = [name for name in JAILS if JAILS[name].why_not() is None]
HONEST = "def add(a, b):\n    return a + b  # after {}\n"
WRONG = "def add(a, b):\n    return a - b  # after {}\n"


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
        grader.grade(items[1:3])  # a spent worker is replaced at the next call only
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


def contents(folder: Path) -> list[tuple[str, str]]:
    return [(file.name, file.read_text()) for file in folder.iterdir()]


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
