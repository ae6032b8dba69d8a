"""Many programs in a row, a random tenth of them hostile: same verdicts as each alone, nothing grows.

XPFLOW_ENDURANCE sets how many (default 300; 10000 takes some minutes).
"""

from __future__ import annotations

import os
import random
from functools import cache
from pathlib import Path

import pytest

from fakes.corpus import ATTACKS, LIMITS, Attack, filled, survivors
from xpflow.grading.grade import Grader
from xpflow.grading.jails import JAILS
from xpflow.grading.verdict import Verdict
from xpflow.problems.benchmark import load_benchmark

pytestmark = pytest.mark.slow
COUNT = int(os.environ.get("XPFLOW_ENDURANCE", "300"))
WORKERS = 2
QUICK_S = 0.2  # hostile programs that take longer are left to test_attacks.py


def resident_kib() -> int:
    """Return the memory of this process and of all its descendants (oracles and jails)."""
    parents, sizes = {}, {}
    for path in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
        except OSError:
            continue
        parents[int(fields["Pid"])] = int(fields["PPid"])
        sizes[int(fields["Pid"])] = int(fields.get("VmRSS", "0 kB").split()[0])
    ours = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in ours} - ours:
        ours |= more
    return sum(sizes.get(pid, 0) for pid in ours)


def in_use(grader: Grader) -> tuple[int, int]:
    """Return memory [KiB] and open files with every worker there: the next call replaces a spent one."""
    problem = load_benchmark("humaneval")[0]
    programs = [f"{problem.solution}\n# {n}\nimport time\ntime.sleep(0.5)\n" for n in range(WORKERS)]
    assert [v.verdict for v in grader.grade([(problem, p) for p in programs])] == ["passed"] * len(programs)
    return resident_kib(), len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(JAILS["bwrap"].why_not() is not None, reason="bwrap does not work here")
def test_many_programs_in_a_row_are_judged_as_each_alone_and_nothing_grows(tmp_path: Path) -> None:
    source = random.Random(0)
    honest = load_benchmark("humaneval")
    with Grader("bwrap", workers=WORKERS, limits=LIMITS) as grader:

        @cache
        def verdict_alone(attack: Attack) -> Verdict:
            [verdict] = grader.grade([(attack.problem, filled(attack, tmp_path, 9))])
            return verdict

        items, expected = [], []
        for number in range(COUNT):
            if source.random() < 0.1:
                attack = source.choice(ATTACKS)
                while (alone := verdict_alone(attack)).time_s >= QUICK_S:
                    attack = source.choice(ATTACKS)
                items.append((attack.problem, f"{filled(attack, tmp_path, 9)}\n# {number}"))
                expected.append(attack.expected if alone.verdict in attack.expected else (alone.verdict,))
            else:
                problem = source.choice(honest)
                right = source.random() < 0.5
                program = problem.solution if right else problem.prompt + "    return None\n"
                items.append((problem, f"{program}\n# {number}"))
                expected.append(("passed",) if right else ("wrong", "error", "passed"))
        half = COUNT // 2
        found = grader.grade(items[:half])
        before = in_use(grader)
        found += grader.grade(items[half:])
        after = in_use(grader)
    odd = [(v, e) for v, e in zip(found, expected, strict=True) if v.verdict not in e]
    assert odd == []
    assert after[0] < 1.2 * before[0] + 20_000
    assert after[1] <= before[1]
    assert survivors() == []
