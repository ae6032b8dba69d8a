"""A generated world of small Python tasks: fixed sets in two shapes, requests, and examples without end.

MicroPy and MicroPy-L are two of them. A world draws renderings; everything after that is here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import Any, Literal

from xpflow.errors import DataError
from xpflow.problems.micropy.render import (
    Rendering,
    humaneval_problem,
    humaneval_prompt,
    mbpp_problem,
    mbpp_prompt,
    persona_docstring,
    persona_prompt,
    shown_assertion,
)
from xpflow.problems.micropy.splits import Split
from xpflow.problems.problem import Problem
from xpflow.problems.worlds.world import TrainingWorld

Shape = Literal["humaneval", "mbpp"]
SIZES: Mapping[tuple[Shape, Split], int] = {
    ("humaneval", "test"): 500,
    ("mbpp", "test"): 500,
    ("humaneval", "validation"): 200,
    ("mbpp", "validation"): 200,
    ("mbpp", "train"): 374,
    ("humaneval", "train"): 374,
}
IDS: Mapping[Shape, str] = {"humaneval": "HE", "mbpp": "MBPP"}


@dataclass(frozen=True)
class World(TrainingWorld):
    """One world of programs.

    Args:
        name: the source of its problems.
        title: how the names of its problems begin.
        version: seeds of everything that is drawn; one version draws the same for ever.
        draw: (rng, split) -> a task of the split, worded and solved.
        admits: (rendering, split) -> whether a fixed set of the split may have it.
        entropy_bits: rendering -> entropy, in bits, of the answers that its prompt could have been given.
    """

    name: str
    title: str
    version: str
    draw: Callable[[Random, Split], Rendering[Any]]
    admits: Callable[[Rendering[Any], Split], bool]
    entropy_bits: Callable[[Rendering[Any]], float]
    about: str = "a generated world of small Python tasks"
    data: str = (
        "an endless stream of training combinations (40 % signature and docstring, 40 % sentence and assert, "
        "20 % requests). No combination of a validation or test problem is among them."
    )

    def problems(self, shape: Shape, split: Split) -> tuple[Problem, ...]:
        """Return the problems of a shape and split, always the same ones; no two of a set are one task.

        Raises:
            DataError: the shape or split does not exist.
        """
        size = SIZES.get((shape, split))
        if size is None:
            raise DataError(
                f"{self.title} has no {shape} problems in split {split!r}",
                hint="splits: train, validation, test",
            )
        return tuple(islice(self.stream(shape, split), size))

    def stream(self, shape: Shape, split: Split) -> Iterator[Problem]:
        """Yield the problems of a set in order, and others beyond its end."""
        build = humaneval_problem if shape == "humaneval" else mbpp_problem
        rng, seen = Random(f"{self.version}/{shape}/{split}"), set[str]()
        while True:
            rendering = self.draw(rng, split)
            if self.admits(rendering, split) and rendering.task.key not in seen:
                task_id = f"{self.title}-{IDS[shape]}/{split}/{len(seen)}"
                seen.add(rendering.task.key)
                yield build(task_id, rendering, split, rng)

    def persona_problems(self, count: int, seed: int = 0) -> list[Problem]:
        """Return requests in persons' voices over training tasks, without tests, for self-alignment.

        They alternate between a plain request, whose answer is a function, and a signature with a docstring,
        whose answer is a body: what a model is aligned on has to cover the shapes that it is asked in.
        """
        rng = Random(f"{self.version}/personas/{seed}")
        found: dict[str, Problem] = {}
        while len(found) < count:
            rendering = self.draw(rng, "train")
            as_body = len(found) % 2 == 1
            prompt = persona_docstring(rendering, rng) if as_body else persona_prompt(rendering, rng)
            if prompt not in found:
                found[prompt] = Problem(
                    task_id=f"{self.title}-Persona/{len(found)}",
                    prompt=prompt,
                    entry_point=rendering.names.function,
                    tests=(),
                    canonical_solution=rendering.body + "\n" if as_body else rendering.code,
                    source=f"{self.name}-personas",
                    split="train",
                    shape="humaneval" if as_body else "mbpp",
                    shown_tests=int(as_body),  # HumanEval's schema has no such field
                )
        return list(found.values())

    def training_pairs(self, seed: int, split: Split = "train") -> Iterator[tuple[str, str]]:
        """Yield (user text, answer) pairs of one split without end.

        40 % are HumanEval-like, 40 % MBPP-like and 20 % requests in a person's voice.
        """
        rng = Random(f"{self.version}/stream/{split}/{seed}")
        while True:
            yield training_pair(self.draw(rng, split), rng)


def training_pair(rendering: Rendering[Any], rng: Random) -> tuple[str, str]:
    """Return one (user text, answer) pair in a random shape; the answer has no trailing newline."""
    shape = rng.random()
    if shape < 0.4:
        return humaneval_prompt(rendering).strip(), rendering.body
    if shape < 0.8:
        return f"{mbpp_prompt(rendering)}\n{shown_assertion(rendering, rng)}", rendering.code.rstrip("\n")
    return persona_prompt(rendering, rng), rendering.code.rstrip("\n")
