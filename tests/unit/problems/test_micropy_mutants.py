"""How strong MicroPy's tests are: single-token mutants of a solution, judged on inputs the tests never saw.

Runs only code that MicroPy's own grammar wrote, and its mutants; both end by construction.
"""

from __future__ import annotations

from random import Random
from typing import Any, Literal

import pytest

from xpflow.problems import Problem
from xpflow.problems.micropy import load
from xpflow.problems.micropy.mutants import behaviour, mutants

SAMPLE, POOL = 60, 300
ASKED_SHARE = 0.95
LETTERS = "abcdefghiouxyzABCDEIOUXYZ0123456789 -_.,"


def inputs_like(arguments: tuple[Any, ...], rng: Random) -> tuple[Any, ...]:
    """Draw arguments of the same types as a problem's own, from ranges wider than the generator's."""
    first = arguments[0]
    if isinstance(first, list):
        values = [
            rng.randint(-30, 40) if rng.random() < 0.5 else rng.randint(-4, 12)
            for _ in range(rng.randint(0, 8))
        ]
        return (values, *(rng.randint(2, 9) for _ in arguments[1:]))
    if isinstance(first, str):
        text = "".join(rng.choice(LETTERS) for _ in range(rng.randint(0, 10)))
        return (text, *(rng.choice(text or LETTERS) for _ in arguments[1:]))
    low, high = rng.choice(((-30, 40), (-3, 12)))
    pair = [rng.randint(low, high) for _ in arguments]
    return tuple(pair) if rng.random() < 0.8 else (pair[0], pair[0])


def arguments_of(problem: Problem) -> list[tuple[Any, ...]]:
    """Return the argument tuples of a problem's asserts."""
    asserts = problem.tests if problem.shape == "mbpp" else problem.tests[0].splitlines()[1:]
    calls = [line.strip().removeprefix("assert ").rsplit(" == ", 1)[0] for line in asserts]
    return [eval(f"(lambda *a: a){call[call.index('(') :]}") for call in calls]


def holds(problem: Problem, code: str) -> bool:
    """Run a problem's tests on code of MicroPy's grammar."""
    scope: dict[str, Any] = {}
    try:
        exec(code, scope)
        exec("\n".join(problem.tests), scope)
        if problem.shape == "humaneval":
            scope["check"](scope[problem.entry_point])
    except Exception:
        return False
    return True


def unnoticed(problem: Problem) -> list[str]:
    """Return the mutants that differ from it on some input of an independent pool and yet pass the tests."""
    code, tested = problem.solution, arguments_of(problem)
    rng = Random(f"independent/{problem.task_id}")
    pool = [*tested, *(inputs_like(tested[0], rng) for _ in range(POOL))]
    right = list(map(repr, behaviour(code, pool)))
    changed = (m for m in mutants(code) if list(map(repr, behaviour(m, pool))) != right)
    return [mutant for mutant in changed if holds(problem, mutant)]


def sample(shape: Literal["humaneval", "mbpp"]) -> list[Problem]:
    """Return every so-manieth problem of the validation and the test set."""
    sets = [load(shape, split) for split in ("validation", "test")]
    return [problems[i * len(problems) // SAMPLE] for problems in sets for i in range(0, SAMPLE, len(sets))]


@pytest.mark.parametrize("shape", ["humaneval", "mbpp"])
def test_at_least_95_percent_of_the_problems_notice_every_mutant_that_changes_behaviour(
    shape: Literal["humaneval", "mbpp"],
) -> None:
    survivors = {problem.task_id: unnoticed(problem) for problem in sample(shape)}
    weak = {task_id: found for task_id, found in survivors.items() if found}
    share = 1 - len(weak) / len(survivors)
    print(f"micropy {shape}: {share:.1%} of {len(survivors)} problems notice every mutant")
    assert share >= ASKED_SHARE, "\n".join(mutant for found in weak.values() for mutant in found)
