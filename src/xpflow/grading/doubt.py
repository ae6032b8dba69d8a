"""Which outcomes are looked at twice before they count against a program, and what the second look says.

A timeout, and a program killed by the kernel, may be the machine's doing: they are tried again. An exception
in the tests, or of a kind that jails bring about (`outcome.failure` marks it), may be the problem's or the
jail's, and so may what ends a program before it is called, since the prompt is a part of it. It counts
against the program only if the problem's own solution does not end in the same way. Where there is none, the
prompt with an empty body stands in for it, as far as the first call.
"""

from __future__ import annotations

import ast
import codeop
import warnings

from xpflow.grading.pool import Outcome
from xpflow.problems.problem import Problem


def passed(outcome: Outcome) -> bool:
    """Return whether the tests held."""
    return bool(outcome["verdict"] == "passed")


def retried(outcome: Outcome) -> bool:
    """Return whether a program is tried again, with nothing running beside it."""
    return outcome["verdict"] == "timeout" or bool(outcome.get("killed"))


def is_open(outcome: Outcome) -> bool:
    """Return whether a first outcome may still change, by a second look or when the grading resumes."""
    return retried(outcome) or bool(outcome.get("doubt")) or outcome["verdict"] == "infrastructure"


def solution_of(problem: Problem) -> str:
    """Return what a program is compared with: the solution, else the prompt with an empty body, else ""."""
    if problem.canonical_solution.strip() or not problem.kind.continues:
        return problem.solution if problem.canonical_solution.strip() else ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for ending in ("", "\n    pass\n", "pass\n"):
            tree = _tree(problem.prompt + ending)
            if tree is not None:
                ours = {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
                asked = problem.entry_point in ours or (ours and isinstance(tree.body[-1], ast.FunctionDef))
                # of a prompt of words alone, or before its function begins, nothing follows
                return problem.prompt + ending if asked else ""
        try:
            codeop.compile_command(problem.prompt, symbol="exec")
        except (SyntaxError, ValueError, OverflowError):
            return problem.prompt  # nothing behind it makes it a program
    return ""


def _tree(code: str) -> ast.Module | None:
    try:
        return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def second_look(problem: Problem, outcome: Outcome, own: Outcome) -> Outcome:
    """Return an outcome that was open, in view of the one of what `solution_of` gives.

    It becomes `infrastructure` where both end in the same way: no program can be judged by such tests, or in
    such a jail.
    """
    same = own["verdict"] == outcome["verdict"] and ending(own) == ending(outcome)
    if not problem.canonical_solution.strip():
        same = same and bool(own.get("early") and outcome.get("early"))
    if same:
        what = "own solution" if problem.canonical_solution.strip() else "prompt, with an empty body,"
        reason = f"its {what} ends in the same way: {own['reason']}"
    elif own["verdict"] == "infrastructure":
        reason = own["reason"]
    else:
        return outcome
    untestable = same or bool(own.get("untestable"))
    return {**outcome, "verdict": "infrastructure", "reason": reason[:300], "untestable": untestable}


def ending(outcome: Outcome) -> str:
    """Return how a program ended, without where and on what: "NameError", "crashed (SIGSEGV)".

    A limit is one, whichever it is and however high: the solution has the most time.
    """
    if outcome["verdict"] == "timeout":
        return "timeout"
    return str(outcome["reason"]).partition(":")[0].partition(" in test ")[0]
