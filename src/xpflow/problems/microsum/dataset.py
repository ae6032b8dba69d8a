"""The fixed problem sets of MicroSum and its endless stream of examples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from random import Random

from xpflow.errors import DataError
from xpflow.problems.micropy.splits import Split
from xpflow.problems.microsum.report import VERSION, draw_report
from xpflow.problems.microsum.words import document, facts, summary
from xpflow.problems.problem import Problem
from xpflow.problems.shapes.summary import instruction
from xpflow.problems.worlds.world import TrainingWorld

SIZES = {"test": 500, "validation": 200, "train": 374}


@dataclass(frozen=True)
class MicroSum(TrainingWorld):
    """The world of reports and their summaries."""

    name: str = "microsum"
    version: str = VERSION
    about: str = "a generated world of reports and summaries"
    data: str = (
        "an endless stream of training reports with summaries. No validation or test report is among them."
    )

    def problem(self, task_id: str, rng: Random, split: Split) -> Problem:
        """Draw a report of a split, its document, and one of its summaries as the reference."""
        report = draw_report(rng, split)
        text, said = document(report, rng), summary(report, rng)
        return Problem(
            task_id, text, "", (said, *facts(report)), said, self.name, split, "summary", shown_tests=0
        )

    def training_pairs(self, seed: int, split: Split = "train") -> Iterator[tuple[str, str]]:
        """Yield (document with the instruction, summary) pairs of one split without end."""
        rng = Random(f"{VERSION}/stream/{split}/{seed}")
        while True:
            problem = self.problem("", rng, split)
            yield instruction(problem), problem.canonical_solution


WORLD = MicroSum()


@cache
def load(split: Split) -> tuple[Problem, ...]:
    """Return the problems of a split, always the same ones.

    Raises:
        DataError: the split does not exist.
    """
    if split not in SIZES:
        raise DataError(f"MicroSum has no split {split!r}", hint=f"splits: {', '.join(SIZES)}")
    rng = Random(f"{VERSION}/{split}")
    return tuple(WORLD.problem(f"MicroSum/{split}/{n}", rng, split) for n in range(SIZES[split]))
