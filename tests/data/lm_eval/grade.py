"""What the tasks of this folder call: the grader's verdict on an answer, and choices."""

from __future__ import annotations

from typing import Any

from xpflow.grading.samples import grade_samples
from xpflow.problems import problems_from


def passed(doc: dict[str, Any], results: list[str]) -> dict[str, float]:
    """Return whether an answer passes its problem's tests, read as the protocol micropy reads it."""
    problems = problems_from([doc], "doc")
    sample = {"task_id": problems[0].task_id, "completion": results[0]}
    [verdict] = grade_samples(problems, [sample], None, 1, protocol="micropy")
    return {"passed": float(verdict.passed)}


def choices(doc: dict[str, Any]) -> list[str]:
    """Return the solution and two bodies that solve nothing."""
    return [doc["canonical_solution"], "    return values + 1\n", "    return None\n"]
