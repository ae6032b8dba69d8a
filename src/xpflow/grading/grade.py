"""Grading: programs and answers in, verdicts out, in the order given.

    program ->  oracle (tests) asks the jail (program)  ->  Verdict
    answer  ->  the judge of the problem's shape        ->  Verdict

Identical programs for the same problem are run once per call. A timeout, and a program killed by the
kernel, is tried once more with nothing running beside it before it counts. What may be the fault of tests or
jail counts only if the problem's own solution does not end in the same way (`doubt.py`).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from types import TracebackType
from typing import Any

from xpflow.errors import GradingError
from xpflow.grading.doubt import is_open, passed, retried, second_look, solution_of
from xpflow.grading.exposure import refuse_exposed
from xpflow.grading.jails.base import Jail
from xpflow.grading.jails.choose import choose_jail
from xpflow.grading.journal import Journal, key_of
from xpflow.grading.outcome import shown
from xpflow.grading.pool import Job, Outcome, Pool
from xpflow.grading.testcode import (
    defined_functions,
    free_names,
    imported_modules,
    parsed,
    uses_program_classes,
    wants_one_answer,
)
from xpflow.grading.verdict import VERDICTS, Limits, Mode, Verdict
from xpflow.problems.problem import Problem

CANONICAL_FACTOR, CANONICAL_S = 10.0, 60.0
PROGRAM_LIMIT = 1 << 26  # characters
NO_VERDICT = "this is no verdict on the programs: run `xpflow doctor`, free memory, and grade again"
UNTESTABLE = "this is no verdict on the programs: mend the problem, or leave it out"
# What every program may do: take a little memory, open a file.
NEARLY_NOTHING = "room = bytes(1 << 20)\nopen('/dev/null').close()\n"
NO_TESTS = {"prompt": "", "setup": "", "tests": ["pass"], "check": "", "imports": {}, "defines": []}
IGNORANT = (None, "I do not know what is asked.")  # the answers of programs that no tests should pass
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
        self._solutions: dict[Problem, Outcome] = {}
        self._fits = False
        self._pool = Pool(self.jail, max(1, workers or os.cpu_count() or 1), self.limits)

    def grade(
        self,
        items: Sequence[tuple[Problem, str]],
        progress: Progress | None = None,
        journal: Journal | None = None,
    ) -> list[Verdict]:
        """Return one verdict for each (problem, program or answer).

        `progress(done, total)` counts distinct programs. Settled ones go to the `journal` as they come, and
        those that it knows are not run.

        Raises:
            GradingError: a problem has no tests, or tests that cannot be run; a program could not be graded
                after `limits.retries` retries; limits or jail are not fit for any program.
        """
        require_tests(items)
        programs = self._run([item for item in items if runs(item[0])], progress, journal)
        found = iter(programs)
        return [next(found) if runs(problem) else judged(problem, answer) for problem, answer in items]

    def _run(
        self, items: Sequence[tuple[Problem, str]], progress: Progress | None, journal: Journal | None
    ) -> list[Verdict]:
        """Return the verdicts on programs."""
        jobs, places = _distinct(items)
        problems = dict(zip(reversed(places), (problem for problem, _ in reversed(items)), strict=True))
        outcomes = _known(jobs, journal)
        first = [job for job in jobs if job.index not in outcomes]

        def settle(job: Job, outcome: Outcome) -> None:
            outcomes[job.index] = outcome
            if journal is not None and outcome["verdict"] != "infrastructure":
                journal.add(_key(job), outcome)

        def done(job: Job, outcome: Outcome) -> None:
            outcomes[job.index] = outcome
            if not is_open(outcome):
                settle(job, outcome)
            if progress is not None:
                progress(len(outcomes), len(jobs))

        if first:
            self._require_fit([problems[job.index] for job in first])
        self._pool.run(first, done)
        again = [job for job in first if retried(outcomes[job.index])]
        for job in again:
            job.attempts, job.cpu_s = 0, self._cpu_limit(problems[job.index])
        self._pool.run(again, done, workers=1)
        for job in (job for job in first if is_open(outcomes[job.index])):
            settle(job, self._second_look(problems[job.index], outcomes[job.index]))
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

    def _require_fit(self, problems: Sequence[Problem]) -> None:
        """Raise GradingError where no program could be judged rightly, before one is run.

        The jail's image holds tests, or limits or jail let not even a program run that does next to nothing.
        """
        refuse_exposed(self.jail, problems)
        if self._fits:
            return
        outcome: Outcome = {}
        for _ in range(1 + self.limits.retries):
            outcome = self._outcome(Job(0, NEARLY_NOTHING, "strict", "nearly nothing", NO_TESTS))
            if passed(outcome):
                self._fits = True
                return
        raise GradingError(
            f"a program that does next to nothing ends in jail {self.jail.name!r} with "
            f"{outcome['verdict']!r}: {outcome['reason']}",
            hint="the limits are too low (cpu_s, wall_s, memory_mib), or the jail is broken: `xpflow doctor`",
        )

    def accepting_anything(self, problems: Iterable[Problem]) -> list[str]:
        """Return the tasks whose tests pass programs that know nothing of them: the tests test nothing.

        Two programs are run: one whose every answer is None, one whose every answer is a sentence. Problems
        whose tests are plain comparisons, that are not judged by programs, or whose tests need the program's
        classes, are passed over.
        """
        asked = [problem for problem in problems if runs(problem) and mode_of(problem) == "strict"]
        asked = [problem for problem in asked if not _wants_answers(problem)]
        for answer in IGNORANT:
            asked = [one for one in asked if passed(self._outcome(_job(0, one, _answering(answer, one))))]
        return [problem.task_id for problem in asked]

    def _outcome(self, job: Job) -> Outcome:
        """Return the outcome of one job, with nothing running beside it."""
        found: list[Outcome] = []
        self._pool.run([job], lambda _, outcome: found.append(outcome), workers=1)
        return found[0]

    def _canonical(self, problem: Problem) -> Outcome:
        """Return the outcome of a problem's own solution, with time enough."""
        if problem not in self._solutions:
            job = _job(0, problem, solution_of(problem))
            job.cpu_s = CANONICAL_S
            outcome = self._outcome(job)
            if outcome["verdict"] == "infrastructure" and not outcome.get("untestable"):
                return outcome  # the machine's: another time it may be judged
            self._solutions[problem] = outcome
        return self._solutions[problem]

    def _cpu_limit(self, problem: Problem) -> float:
        """Return the CPU limit of a second try: ten times the canonical solution's time, or the usual one."""
        own = self._canonical(problem)
        return max(self.limits.cpu_s, CANONICAL_FACTOR * float(own["cpu_s"]) if passed(own) else 0.0)

    def _second_look(self, problem: Problem, outcome: Outcome) -> Outcome:
        """Return an outcome that is open as it counts."""
        if outcome["verdict"] == "infrastructure" or not solution_of(problem):
            return outcome
        return second_look(problem, outcome, self._canonical(problem))

    def _refuse_infrastructure(
        self, items: Sequence[tuple[Problem, str]], places: Sequence[int], outcomes: Mapping[int, Outcome]
    ) -> None:
        failed = [i for i, place in enumerate(places) if outcomes[place]["verdict"] == "infrastructure"]
        if failed and not self.record_infrastructure:
            problem, outcome = items[failed[0]][0], outcomes[places[failed[0]]]
            raise GradingError(
                f"{len(failed)} of {len(items)} programs could not be graded in jail {self.jail.name!r}; "
                f"the first is for {problem.task_id}: {outcome['reason']}",
                hint=UNTESTABLE if outcome.get("untestable") else NO_VERDICT,
            )


def runs(problem: Problem) -> bool:
    """Return whether answers to a problem are programs, which run in a jail; others are compared."""
    return problem.kind.judge is None


def judged(problem: Problem, answer: str) -> Verdict:
    """Return the verdict on an answer that is compared, here and as text, by the judge of its shape."""
    judge = problem.kind.judge
    assert judge is not None
    try:
        said = judge(problem, answer)
    except Exception as error:
        raise GradingError(
            f"the judge of shape {problem.shape!r} failed on an answer to {problem.task_id}: "
            f"{type(error).__name__}: {error}",
            hint="it says nothing about the answer: mend the shape",
        ) from error
    if said.passed:
        return Verdict(problem.task_id, "passed", measures=said.measures)
    found, expected = shown(said.found), shown(said.expected)
    return Verdict(
        problem.task_id, "wrong", "another answer", found=found, expected=expected, measures=said.measures
    )


def require_tests(items: Sequence[tuple[Problem, str]]) -> None:
    """Raise GradingError for a problem that nothing can be judged by."""
    for problem, _ in items:
        if not problem.tests:
            raise GradingError(
                f"{problem.task_id} has no tests", hint="prompt-only problems cannot be graded"
            )
        if problem.kind.continues and not problem.entry_point:
            raise GradingError(
                f"{problem.task_id} names no entry point: its tests would call nothing",
                hint="the problem's `entry_point` is the name of the function that `check` is given",
            )


def grade_program(
    problem: Problem, program: str, jail: str | Jail | None = None, limits: Limits | None = None
) -> Verdict:
    """Return the verdict on one complete program."""
    with Grader(jail, workers=1, limits=limits) as grader:
        return grader.grade([(problem, program)])[0]


def _distinct(items: Sequence[tuple[Problem, str]]) -> tuple[list[Job], list[int]]:
    """Return the distinct jobs, and for each item the index of its job."""
    seen: dict[tuple[Problem, str], int] = {}
    jobs: list[Job] = []
    for problem, program in items:
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
    if problem.kind.continues:
        return "strict"
    tests = "\n".join((problem.setup, *problem.tests))
    return "shared" if uses_program_classes(problem.canonical_solution, tests) else "strict"


@lru_cache(maxsize=8192)
def _wants_answers(problem: Problem) -> bool:
    """Return whether the tests of a problem are seen to want certain answers without running any."""
    is_check = problem.kind.continues
    return any(wants_one_answer(test, problem.entry_point, is_check) for test in problem.tests)


def _answering(answer: str | None, problem: Problem) -> str:
    """Return a program in which all that a problem's tests ask for is a function with one answer."""
    known = _tests_of(problem)[1]
    trees = [parsed(text) for text in (known["setup"], *known["tests"])]
    names = [known["check"]] if known["check"] else free_names(trees, known["defines"])
    wanted = (name for name in names if name not in known["imports"])
    return "".join(f"def {name}(*_, **__):\n    return {answer!r}\n" for name in wanted)


@lru_cache(maxsize=8192)
def _tests_of(problem: Problem) -> tuple[str, Mapping[str, Any]]:
    """Return a hash of what the oracle needs to know of a problem, and that: not the canonical solution."""
    continues = problem.kind.continues
    known = {
        "prompt": problem.prompt if continues else "",
        "setup": problem.setup,
        "tests": list(problem.tests),
        "check": problem.entry_point if continues else "",
        "imports": {} if continues else imported_modules(problem.canonical_solution),
        "defines": [] if continues else defined_functions(problem.canonical_solution),
    }
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest(), known


def _known(jobs: Sequence[Job], journal: Journal | None) -> dict[int, Outcome]:
    """Return the outcomes that need no run: those in the journal, and those of programs without end."""
    found = {}
    for job in jobs:
        outcome = journal.get(_key(job)) if journal is not None else None
        if len(job.program) > PROGRAM_LIMIT:
            outcome = {"verdict": "error", "reason": f"a program of more than {PROGRAM_LIMIT} characters"}
        if outcome is not None:
            found[job.index] = outcome
    return found


def _key(job: Job) -> str:
    return key_of(job.mode, job.key, job.program)


def _verdict(problem: Problem, outcome: Outcome) -> Verdict:
    name = outcome["verdict"]
    if name not in VERDICTS:
        raise GradingError(f"the worker sent an unknown verdict {name!r} for {problem.task_id}")
    digits = {"time_s": 4, "cpu_s": 4, "memory_mib": 1}
    numbers = {key: round(float(outcome.get(key, 0.0)), places) for key, places in digits.items()}
    return Verdict.from_row({**outcome, **numbers, "task_id": problem.task_id, "mode": mode_of(problem)})
