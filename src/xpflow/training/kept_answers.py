"""Which of its own answers a run learns from: all of them, or those that passed their problem's tests.

Only what is trained on is filtered. Probes and real answers that are held out stay as they are, so that the
curves of all runs are measured on the same ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from xpflow.errors import DataError
from xpflow.training.examples import require_answers

Row = dict[str, Any]
PASSED = "passed"


@dataclass(frozen=True, slots=True)
class Kept:
    """The rows that a run learns from, `passed` of `asked` answers, and what it watches besides."""

    rows: list[Row]
    passed: int
    asked: int

    def __str__(self) -> str:
        return f"learns from the {self.passed} of {self.asked} answers that passed"

    @property
    def facts(self) -> dict[str, int]:
        """What the checkpoint's manifest says of it."""
        return {"answers_passed": self.passed, "answers_asked": self.asked}


def keep_passed(rows: Sequence[Row], verdicts: Sequence[Row], least: int) -> Kept:
    """Return the rows without answers that did not pass.

    Args:
        rows: as `xpflow selfdata` wrote them. verdicts: as `xpflow grade-answers` wrote them. least: the
            rows of a batch.
    Raises:
        DataError: rows are no answers, one has no verdict, or fewer than `least` passed.
    """
    require_answers(rows)
    said = {str(row.get("task_id")): row.get("verdict") for row in verdicts}
    asked = [str(row.get("task_id")) for row in rows if row["kind"] == "train"]
    if missing := [task for task in asked if task not in said]:
        raise DataError(
            f"{len(missing)} of {len(asked)} answers have no verdict (first: {missing[0]})",
            hint="grade these answers: xpflow grade-answers",
        )
    kept = [row for row in rows if row["kind"] != "train" or said[str(row.get("task_id"))] == PASSED]
    count = sum(row["kind"] == "train" for row in kept)
    if count < least:
        raise DataError(
            f"{count} of {len(asked)} answers passed, fewer than the {least} of a batch",
            hint="raise selfdata.prompts, lower the run's batch_size, or let it learn from all answers",
        )
    return Kept(kept, count, len(asked))
