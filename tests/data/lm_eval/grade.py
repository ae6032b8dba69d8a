"""What the tasks of this folder call: the grader's verdict on an answer, and choices."""

from __future__ import annotations

from typing import Any

from xpflow.grading.samples import grade_samples
from xpflow.problems import problems_from


def passed(doc: dict[str, Any], results: list[str]) -> dict[str, Any]:
    """Return a row and its answer, which `rate` grades together with the others."""
    return {"passed": [doc, results[0]]}


def rate(items: list[Any]) -> float:
    """Return the share of answers that pass their tests, read as the protocol micropy reads them."""
    problems = problems_from([doc for doc, _ in items], "docs")
    samples = [
        {"task_id": one.task_id, "completion": text} for one, (_, text) in zip(problems, items, strict=True)
    ]
    verdicts = grade_samples(problems, samples, None, 1, protocol="micropy")
    return sum(one.passed for one in verdicts) / len(verdicts)


def choices(doc: dict[str, Any]) -> list[str]:
    """Return the solution and two bodies that solve nothing."""
    return [doc["canonical_solution"], "    return values + 1\n", "    return None\n"]
