"""Which outcomes are looked at twice before they count against a program, and what the second look says.

A timeout, and a program killed by the kernel, may be the machine's doing: they are tried again. An exception
in the tests, or of a kind that jails bring about (`outcome.failure` marks it), may be the problem's or the
jail's: it counts against the program only if the problem's own solution does not end in the same way.
"""

from __future__ import annotations

from xpflow.grading.pool import Outcome
from xpflow.problems.problem import Problem

IMPORTS = ("ImportError", "ModuleNotFoundError")


def passed(outcome: Outcome) -> bool:
    """Return whether the tests held."""
    return bool(outcome["verdict"] == "passed")


def retried(outcome: Outcome) -> bool:
    """Return whether a program is tried again, with nothing running beside it."""
    return outcome["verdict"] == "timeout" or bool(outcome.get("killed"))


def is_open(outcome: Outcome) -> bool:
    """Return whether a first outcome may still change, by a second look or when the grading resumes."""
    return retried(outcome) or bool(outcome.get("doubt")) or outcome["verdict"] == "infrastructure"


def has_solution(problem: Problem) -> bool:
    """Return whether there is anything to compare with; a prompt alone is, if it continues into a program."""
    return bool(problem.solution.strip())


def second_look(problem: Problem, outcome: Outcome, own: Outcome) -> Outcome:
    """Return an outcome that was open, in view of the one of the problem's own solution.

    It becomes `infrastructure` where both end in the same way: no program can be judged by such tests, or in
    such a jail. Without a canonical solution `own` is that of the prompt alone, and only its imports count.
    """
    same = own["verdict"] == outcome["verdict"] and ending(own) == ending(outcome)
    if not problem.canonical_solution.strip():
        same = same and ending(own) in IMPORTS
    if same:
        reason = f"its own solution ends in the same way: {own['reason']}"
    elif own["verdict"] == "infrastructure":
        reason = own["reason"]
    else:
        return outcome
    untestable = same or bool(own.get("untestable"))
    return {**outcome, "verdict": "infrastructure", "reason": reason[:300], "untestable": untestable}


def ending(outcome: Outcome) -> str:
    """Return how a program ended, without where and on what: "NameError", "crashed (SIGSEGV)"."""
    return str(outcome["reason"]).partition(":")[0].partition(" in test ")[0]
