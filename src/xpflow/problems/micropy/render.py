"""From a task to a complete problem: prompt, canonical solution and tests, in both benchmark shapes."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from xpflow.problems.micropy.code import STYLES, body, signature
from xpflow.problems.micropy.grammar import Task
from xpflow.problems.micropy.inputs import Arguments, boundary_inputs, candidate_inputs
from xpflow.problems.micropy.mutants import behaviour, mutants
from xpflow.problems.micropy.names import Names, draw_names
from xpflow.problems.micropy.words import describe
from xpflow.problems.problem import Problem

MINIMUM_TESTS, MAXIMUM_TESTS, MAXIMUM_BOUNDARY_TESTS = 6, 14, 8
PERSONAS = (
    "a nurse who checks readings",
    "a teacher who marks tests",
    "a baker who counts orders",
    "a gardener",
    "a pilot",
    "a librarian",
    "a student of statistics",
    "a shop owner",
    "a chess coach",
    "a weather observer",
    "a cook",
    "a carpenter",
)


@dataclass(frozen=True, slots=True)
class Rendering:
    """One wording of a task: the sentence, the signature and a body."""

    task: Task
    names: Names
    sentence: str
    body: str

    @property
    def code(self) -> str:
        """The whole function."""
        return f"{signature(self.names)}\n{self.body}\n"


def draw_rendering(task: Task, rng: Random) -> Rendering:
    """Word and solve a task with names, wording and style drawn from `rng`."""
    names = draw_names(rng, task)
    sentence = describe(task, names, rng)
    return Rendering(task, names, sentence, body(task, names, rng.choice(STYLES), rng))


def humaneval_prompt(rendering: Rendering) -> str:
    """Return a signature and docstring, in the shape of a HumanEval prompt."""
    sentence = rendering.sentence[0].upper() + rendering.sentence[1:]
    return f'{signature(rendering.names)}\n    """{sentence}."""\n'


def mbpp_prompt(rendering: Rendering) -> str:
    """Return a sentence, in the shape of an MBPP text."""
    return f"Write a function to {rendering.sentence}."


def persona_prompt(rendering: Rendering, rng: Random) -> str:
    """Return a request in a person's voice, in the manner of the Tulu 3 persona prompts."""
    who = rng.choice(PERSONAS)
    return f"I am {who}. I need {signature(rendering.names)[4:-1]} to {rendering.sentence}."


def persona_docstring(rendering: Rendering, rng: Random) -> str:
    """Return a signature whose docstring is a request in a person's voice."""
    who = rng.choice(PERSONAS)
    sentence = rendering.sentence[0].upper() + rendering.sentence[1:]
    return f'{signature(rendering.names)}\n    """{sentence}. I am {who}."""\n'


def assertion(function: str, arguments: Arguments, value: Any) -> str:
    """Return one assert statement, spelled as literals."""
    return f"assert {function}({', '.join(map(repr, arguments))}) == {value!r}"


def shown_assertion(rendering: Rendering, rng: Random) -> str:
    """Return the single assert that an MBPP-shaped prompt shows."""
    arguments = candidate_inputs(rendering.task, rng, 1)[0]
    return assertion(rendering.names.function, arguments, behaviour(rendering.code, [arguments])[0])


def humaneval_problem(task_id: str, rendering: Rendering, split: str, rng: Random) -> Problem:
    """Build the HumanEval-shaped problem of a rendering; its tests are chosen by `select_tests`."""
    lines = [assertion("candidate", a, v) for a, v in select_tests(rendering, rng)]
    check = "def check(candidate):\n" + "".join(f"    {line}\n" for line in lines)
    return Problem(
        task_id=task_id,
        prompt=humaneval_prompt(rendering),
        entry_point=rendering.names.function,
        tests=(check,),
        canonical_solution=rendering.body + "\n",
        source="micropy",
        split=split,
        shape="humaneval",
    )


def mbpp_problem(task_id: str, rendering: Rendering, split: str, rng: Random) -> Problem:
    """Build the MBPP-shaped problem of a rendering; the first assert is shown, the others are not."""
    name = rendering.names.function
    return Problem(
        task_id=task_id,
        prompt=mbpp_prompt(rendering),
        entry_point=name,
        tests=tuple(assertion(name, a, v) for a, v in select_tests(rendering, rng)),
        canonical_solution=rendering.code,
        source="micropy",
        split=split,
        shape="mbpp",
        shown_tests=1,
    )


def select_tests(rendering: Rendering, rng: Random) -> list[tuple[Arguments, Any]]:
    """Choose inputs that expose the single-token mutants of the solution; returns (arguments, value) pairs.

    Greedy set cover over `candidate_inputs`: the first (typical) input always leads, the second (for lists
    and texts mostly the empty one) follows. Mutants that none of the chosen inputs exposes are then looked
    for with `boundary_inputs`, which draw nothing: prompts and shown asserts do not depend on them.
    """
    code, changed = rendering.code, list(mutants(rendering.code))
    pool = candidate_inputs(rendering.task, rng)
    exposes = _exposures(code, changed, pool)
    chosen = list(range(min(2, len(pool))))
    chosen += _cover(exposes, _missed(exposes, chosen), MAXIMUM_TESTS - len(chosen))
    chosen += [i for i in range(len(pool)) if i not in chosen][: max(0, MINIMUM_TESTS - len(chosen))]
    known = set().union(*(exposes[i] for i in chosen))
    missed = [mutant for number, mutant in enumerate(changed) if number not in known]
    edges = boundary_inputs(rendering.task)
    found = _exposures(code, missed, edges)
    more = _cover(found, _missed(found, []), MAXIMUM_BOUNDARY_TESTS)
    arguments = [pool[i] for i in chosen] + [edges[i] for i in more]
    values = behaviour(code, arguments)
    return [(a, ast.literal_eval(repr(value))) for a, value in zip(arguments, values, strict=True)]


def _exposures(code: str, changed: Sequence[str], pool: Sequence[Arguments]) -> list[set[int]]:
    """Return, for each input, the numbers of the mutants that answer it otherwise than `code`."""
    right = [repr(value) for value in behaviour(code, pool)]
    wrong = [list(map(repr, behaviour(mutant, pool))) for mutant in changed]
    return [{m for m, out in enumerate(wrong) if out[i] != right[i]} for i in range(len(pool))]


def _missed(exposes: Sequence[set[int]], chosen: Sequence[int]) -> set[int]:
    """Return the mutants that some input exposes and no chosen one does."""
    return set().union(*exposes) - set().union(*(exposes[i] for i in chosen))


def _cover(exposes: Sequence[set[int]], alive: set[int], limit: int) -> list[int]:
    """Choose at most `limit` inputs, each time the first that exposes most of the mutants still alive."""
    chosen: list[int] = []
    while alive and len(chosen) < limit:
        best = max(range(len(exposes)), key=lambda i: len(exposes[i] & alive))
        chosen.append(best)
        alive = alive - exposes[best]
    return chosen
