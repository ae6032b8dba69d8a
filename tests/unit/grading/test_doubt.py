"""Which outcomes are looked at twice, and what the second look says, on outcomes as they are written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from xpflow.grading.doubt import ending, is_open, passed, retried, second_look, solution_of
from xpflow.problems import Problem

SOLVED = Problem(
    "HumanEval/0", "def f(x):\n", "f", ("def check(f): ...",), "    return x\n", "t", "t", "humaneval"
)
UNSOLVED = replace(SOLVED, canonical_solution="")


def outcome(verdict: str, reason: str = "", **more: Any) -> dict[str, Any]:
    return {"verdict": verdict, "reason": reason, **more}


@pytest.mark.parametrize(
    ("found", "again", "unsettled"),
    [
        (outcome("passed"), False, False),
        (outcome("wrong"), False, False),
        (outcome("error"), False, False),
        (outcome("timeout"), True, True),
        (outcome("error", killed=True), True, True),
        (outcome("error", doubt=True), False, True),
        (outcome("wrong", doubt=True), False, True),
        (outcome("wrong", doubt=False), False, False),
        (outcome("infrastructure"), False, True),
    ],
)
def test_what_may_be_the_machines_doing_is_tried_again(
    found: dict[str, Any], again: bool, unsettled: bool
) -> None:
    assert (retried(found), is_open(found)) == (again, unsettled)
    assert passed(found) == (found["verdict"] == "passed")


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (outcome("error", "NameError in test 2: assert f(1): name 'x' is not defined"), "NameError"),
        (outcome("error", "crashed (SIGSEGV)"), "crashed (SIGSEGV)"),
        (outcome("wrong", "AssertionError in test 1"), "AssertionError"),
        (outcome("timeout", "over its cpu limit of 2 s"), "timeout"),
        (outcome("timeout", "its answers keep the tests busy"), "timeout"),
    ],
)
def test_an_ending_is_a_kind_without_its_place(found: dict[str, Any], text: str) -> None:
    assert ending(found) == text


def test_what_the_solution_shares_is_not_the_programs_fault() -> None:
    found = outcome("error", "NameError in test 1: numpy", doubt=True, early=True)
    own = outcome("error", "NameError in test 2: scipy")
    second = second_look(SOLVED, found, own)
    assert second["verdict"] == "infrastructure"
    assert second["reason"] == f"its own solution ends in the same way: {own['reason']}"
    assert second["untestable"] is True


@pytest.mark.parametrize(
    "own",
    [
        outcome("passed"),
        outcome("wrong", "NameError in test 1"),  # another verdict
        outcome("error", "ImportError in test 1"),  # another kind
        outcome("timeout", "NameError"),
    ],
)
def test_what_the_solution_does_not_share_counts(own: dict[str, Any]) -> None:
    found = outcome("error", "NameError in test 1", doubt=True)
    assert second_look(SOLVED, found, own) is found


@pytest.mark.parametrize("untestable", [True, False, None])
def test_a_solution_that_cannot_be_run_is_no_verdict_either(untestable: bool | None) -> None:
    more = {} if untestable is None else {"untestable": untestable}
    own = outcome("infrastructure", "its set-up code cannot be run: " + "x" * 400, **more)
    second = second_look(SOLVED, outcome("error", "TypeError", doubt=True), own)
    assert (second["verdict"], second["untestable"]) == ("infrastructure", bool(untestable))
    assert second["reason"] == own["reason"][:300]


@pytest.mark.parametrize(("ours", "theirs"), [(True, True), (True, False), (False, True), (False, False)])
def test_a_prompt_stands_in_for_a_solution_as_far_as_the_first_call(ours: bool, theirs: bool) -> None:
    found = outcome("error", "NameError", doubt=True, early=theirs)
    second = second_look(UNSOLVED, found, outcome("error", "NameError", early=ours))
    if ours and theirs:
        assert second["reason"] == "its prompt, with an empty body, ends in the same way: NameError"
    else:
        assert second is found


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ('def f(x):\n    """Double."""\n', 'def f(x):\n    """Double."""\n'),
        ("def f(x):", "def f(x):\n    pass\n"),
        ("def f(x):\n    if x:\n        ", "def f(x):\n    if x:\n        pass\n"),
        ("def f(x) return", "def f(x) return"),  # no ending makes it a program
        ("Please write f.", "Please write f."),
        ("x = 1\n", ""),  # its function has not begun
        ("# Write f.\n", ""),
    ],
)
def test_an_empty_body_is_put_behind_a_prompt(prompt: str, text: str) -> None:
    assert solution_of(replace(UNSOLVED, prompt=prompt)) == text
    assert solution_of(replace(SOLVED, prompt=prompt)) == prompt + SOLVED.canonical_solution
