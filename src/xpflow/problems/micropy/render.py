"""From a task to a complete problem: prompt, canonical solution and tests, in both benchmark shapes."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any, Generic, Protocol, TypeVar

from xpflow.problems.micropy.code import STYLES, Asked, body, signature
from xpflow.problems.micropy.grammar import Task
from xpflow.problems.micropy.inputs import Arguments, boundary_inputs, candidate_inputs
from xpflow.problems.micropy.mutants import behaviour, mutants
from xpflow.problems.micropy.names import draw_names
from xpflow.problems.micropy.words import describe
from xpflow.problems.problem import Problem

CANDIDATES = 32
MAXIMUM_TESTS, MAXIMUM_BOUNDARY_TESTS = 14, 8
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


class Keyed(Protocol):
    """A task: two that share a key are one."""

    @property
    def key(self) -> str: ...


T = TypeVar("T", bound=Keyed)
Answers = Callable[[Sequence[Arguments]], list[str]]


@dataclass(frozen=True, slots=True)
class Rendering(Generic[T]):
    """One wording of a task: the sentence, the signature and a body, and what its tests are made of.

    Args:
        source: the name of its world.
        candidates: (rng, count) -> argument tuples, the first of them fit for a prompt.
        boundaries: more argument tuples, which draw nothing.
        rivals: wrong functions that tests must tell from it: argument tuples -> `repr` of their answers.
        tests: how many there are at least.
    """

    task: T
    names: Asked
    sentence: str
    body: str
    source: str
    candidates: Callable[[Random, int], list[Arguments]]
    boundaries: Callable[[], list[Arguments]]
    rivals: Callable[[], list[Answers]]
    tests: int = 6

    @property
    def code(self) -> str:
        """The whole function."""
        return f"{signature(self.names)}\n{self.body}\n"


def draw_rendering(task: Task, rng: Random) -> Rendering[Task]:
    """Word and solve a task with names, wording and style drawn from `rng`."""
    names = draw_names(rng, task)
    sentence = describe(task, names, rng)
    solution = body(task, names, rng.choice(STYLES), rng)
    code = f"{signature(names)}\n{solution}\n"
    return Rendering(
        task=task,
        names=names,
        sentence=sentence,
        body=solution,
        source="micropy",
        candidates=partial(candidate_inputs, task),
        boundaries=partial(boundary_inputs, task),
        rivals=lambda: [partial(_said, mutant) for mutant in mutants(code)],
    )


def _said(code: str, inputs: Sequence[Arguments]) -> list[str]:
    return list(map(repr, behaviour(code, inputs)))


def humaneval_prompt(rendering: Rendering[Any]) -> str:
    """Return a signature and docstring, in the shape of a HumanEval prompt."""
    sentence = rendering.sentence[0].upper() + rendering.sentence[1:]
    return f'{signature(rendering.names)}\n    """{sentence}."""\n'


def mbpp_prompt(rendering: Rendering[Any]) -> str:
    """Return a sentence, in the shape of an MBPP text."""
    return f"Write a function to {rendering.sentence}."


def persona_prompt(rendering: Rendering[Any], rng: Random) -> str:
    """Return a request in a person's voice, in the manner of the Tulu 3 persona prompts."""
    who = rng.choice(PERSONAS)
    return f"I am {who}. I need {signature(rendering.names)[4:-1]} to {rendering.sentence}."


def persona_docstring(rendering: Rendering[Any], rng: Random) -> str:
    """Return a signature whose docstring is a request in a person's voice."""
    who = rng.choice(PERSONAS)
    sentence = rendering.sentence[0].upper() + rendering.sentence[1:]
    return f'{signature(rendering.names)}\n    """{sentence}. I am {who}."""\n'


def assertion(function: str, arguments: Arguments, value: Any) -> str:
    """Return one assert statement, spelled as literals."""
    return f"assert {function}({', '.join(map(repr, arguments))}) == {value!r}"


def shown_assertion(rendering: Rendering[Any], rng: Random) -> str:
    """Return the single assert that an MBPP-shaped prompt shows."""
    arguments = rendering.candidates(rng, 1)[0]
    return assertion(rendering.names.function, arguments, behaviour(rendering.code, [arguments])[0])


def humaneval_problem(task_id: str, rendering: Rendering[Any], split: str, rng: Random) -> Problem:
    """Build the HumanEval-shaped problem of a rendering; its tests are chosen by `select_tests`."""
    lines = [assertion("candidate", a, v) for a, v in select_tests(rendering, rng)]
    check = "def check(candidate):\n" + "".join(f"    {line}\n" for line in lines)
    return Problem(
        task_id=task_id,
        prompt=humaneval_prompt(rendering),
        entry_point=rendering.names.function,
        tests=(check,),
        canonical_solution=rendering.body + "\n",
        source=rendering.source,
        split=split,
        shape="humaneval",
    )


def mbpp_problem(task_id: str, rendering: Rendering[Any], split: str, rng: Random) -> Problem:
    """Build the MBPP-shaped problem of a rendering; the first assert is shown, the others are not."""
    name = rendering.names.function
    return Problem(
        task_id=task_id,
        prompt=mbpp_prompt(rendering),
        entry_point=name,
        tests=tuple(assertion(name, a, v) for a, v in select_tests(rendering, rng)),
        canonical_solution=rendering.code,
        source=rendering.source,
        split=split,
        shape="mbpp",
        shown_tests=1,
    )


def select_tests(rendering: Rendering[Any], rng: Random) -> list[tuple[Arguments, Any]]:
    """Choose inputs that tell a task from its rivals (MicroPy's: single-token mutants of the solution).

    Greedy set cover over its candidates: the first (typical) input always leads, the second (for lists and
    texts mostly the empty one) follows. Rivals that none of the chosen inputs exposes are then looked for
    with the boundaries, which draw nothing: prompts and shown asserts do not depend on them.

    Returns:
        pairs of arguments and value.
    """
    code, pool = rendering.code, rendering.candidates(rng, CANDIDATES)
    chosen = list(range(min(2, len(pool))))
    rivals = rendering.rivals()
    rivals = _unexposed(rivals, _exposures(code, rivals, pool[:2]), chosen)
    exposes = _exposures(code, rivals, pool)
    chosen += _cover(exposes, set().union(*exposes), MAXIMUM_TESTS - len(chosen))
    chosen += [i for i in range(len(pool)) if i not in chosen][: max(0, rendering.tests - len(chosen))]
    edges = rendering.boundaries()
    found = _exposures(code, _unexposed(rivals, exposes, chosen), edges)
    more = _cover(found, set().union(*found), MAXIMUM_BOUNDARY_TESTS)
    arguments = [pool[i] for i in chosen] + [edges[i] for i in more]
    values = behaviour(code, arguments)
    return [(a, ast.literal_eval(repr(value))) for a, value in zip(arguments, values, strict=True)]


def _exposures(code: str, rivals: Sequence[Answers], pool: Sequence[Arguments]) -> list[set[int]]:
    """Return, for each input, the numbers of the rivals that answer it otherwise than `code`."""
    right = _said(code, pool)
    wrong = [rival(pool) for rival in rivals]
    return [{m for m, out in enumerate(wrong) if out[i] != right[i]} for i in range(len(pool))]


def _unexposed(
    rivals: Sequence[Answers], exposes: Sequence[set[int]], chosen: Sequence[int]
) -> list[Answers]:
    """Return the rivals that no chosen input exposes."""
    known = set().union(*(exposes[i] for i in chosen))
    return [rival for number, rival in enumerate(rivals) if number not in known]


def _cover(exposes: Sequence[set[int]], alive: set[int], limit: int) -> list[int]:
    """Choose at most `limit` inputs, each time the first that exposes most of the rivals still alive."""
    chosen: list[int] = []
    while alive and len(chosen) < limit:
        best = max(range(len(exposes)), key=lambda i: len(exposes[i] & alive))
        chosen.append(best)
        alive = alive - exposes[best]
    return chosen
