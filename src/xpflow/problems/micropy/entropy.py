"""How many bits of an answer the prompt leaves open: the entropy of what could have been answered.

Exact: a draw is repeated with every sequence of choices that it can make, and equal answers count as one.
It is the floor of any model's loss, and what a decoder that writes several tokens at once has to agree on.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, TypeVar

from xpflow.problems.micropy.code import STYLES, body
from xpflow.problems.micropy.grammar import Task
from xpflow.problems.micropy.names import Names, draw_locals
from xpflow.problems.micropy.render import Rendering

T = TypeVar("T")
A = TypeVar("A")


class _Script(Random):
    """Choices by a script: each is the next number of it, and the first option where it has ended."""

    def __init__(self, script: Sequence[int]) -> None:
        super().__init__(0)
        self.script, self.made, self.sizes = script, 0, list[int]()

    def choice(self, seq: Any) -> Any:
        """Return the option that the script names."""
        number = self.script[self.made] if self.made < len(self.script) else 0
        self.made += 1
        self.sizes.append(len(seq))
        return seq[number]


def outcomes(draw: Callable[[Random], T]) -> dict[T, float]:
    """Return everything that a draw can give, with its probability; it may choose by `rng.choice` alone."""
    found: dict[T, float] = defaultdict(float)
    script: list[int] | None = []
    while script is not None:
        rng = _Script(script)
        found[draw(rng)] += 1 / math.prod(rng.sizes)
        script = _next([*script, *[0] * (rng.made - len(script))], rng.sizes)
    return dict(found)


def _next(script: list[int], sizes: Sequence[int]) -> list[int] | None:
    """Return the script that follows in order, or None behind the last."""
    while script and script[-1] + 1 == sizes[len(script) - 1]:
        script.pop()
    return [*script[:-1], script[-1] + 1] if script else None


def bits(shares: Sequence[float]) -> float:
    """Return the entropy of a distribution in bits."""
    return -sum(p * math.log2(p) for p in shares if p > 0)


def entropy_bits(rendering: Rendering[Task]) -> float:
    """Return the entropy of MicroPy's answers to a prompt: style, spellings and names of local variables."""
    task, names = rendering.task, rendering.names

    def answer(rng: Random) -> str:
        full = Names(names.function, names.arguments, *draw_locals(rng, task))
        return body(task, full, rng.choice(STYLES), rng)

    return bits(list(outcomes(answer).values()))
