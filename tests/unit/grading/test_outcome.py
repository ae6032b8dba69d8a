"""Values in a verdict, and whose fault an exception is."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from xpflow.grading.outcome import (
    SHOWN,
    Unanswered,
    Untestable,
    failure,
    require_tests_own,
    shown,
    shown_call,
    verdict_of_end,
)
from xpflow.grading.testcode import Watcher


def test_values_are_shown_short_and_never_raise() -> None:
    class Hostile:
        def __repr__(self) -> str:
            raise RuntimeError

    assert shown("x" * 10_000).startswith("'xxx")
    assert len(shown([["y" * 500] * 500])) <= SHOWN
    assert shown(Hostile()).startswith("<Hostile")
    assert shown(10**5000) == "<int: ValueError>"  # Python writes no decimals of that length
    assert len(shown_call("f", ("a" * 500,), {"key": 1})) <= SHOWN
    assert shown_call("f", (1, "a"), {"key": None}) == "f(1, 'a', key=None)"


class Asked:
    """A program of the tests' own: how often it was called, and by what last."""

    def __init__(self, calls: int) -> None:
        self.calls = calls

    def last_call(self) -> str:
        """Return the last call as it would be typed."""
        return "f(1)"


def raised(kind: type[BaseException], own: bool) -> BaseException:
    """Return an exception that the program raised itself, or that came up in the tests."""
    error = kind("text")
    if own:
        error.__notes__ = ["Kind: text"]
    return error


@pytest.mark.parametrize(
    ("kind", "own", "calls", "doubt"),
    [
        (AssertionError, False, 1, False),  # a wrong answer
        (AssertionError, False, 0, True),  # before any answer
        (AssertionError, True, 1, False),
        (AssertionError, True, 0, True),  # the prompt is a part of the program
        (ValueError, True, 1, False),
        (ValueError, True, 0, True),
        (ValueError, False, 1, True),  # in the tests
        (ValueError, False, 0, True),
        (ImportError, True, 1, True),  # a jail may bring it about
        (OSError, True, 1, True),
        (TypeError, True, 1, True),
        (Unanswered, True, 1, False),
        (Unanswered, False, 0, False),
    ],
)
def test_what_may_not_be_the_programs_fault_is_in_doubt(
    kind: type[BaseException], own: bool, calls: int, doubt: bool
) -> None:
    program: Any = Asked(calls)
    found = failure(raised(kind, own), 2, Watcher([]), program, "assert f(1) == 2")
    assert (found["doubt"], found["early"]) == (doubt, calls == 0)
    wrong = kind is AssertionError and not own
    assert found["verdict"] == ("wrong" if wrong else "error")
    name = "Kind" if own else kind.__name__
    rest = "" if wrong else ": text"
    if kind is not Unanswered:
        assert found["reason"] == f"{name} in test 2: assert f(1) == 2{rest}"
    assert found.get("call") == ("f(1)" if wrong or calls else None)


def test_words_without_end_are_cut_at_300_and_values_at_200() -> None:
    program: Any = Asked(1)
    found = failure(ValueError("x" * 1000), 1, Watcher([]), program, "")
    assert len(found["reason"]) == 300
    with pytest.raises(Untestable) as caught:
        require_tests_own(ValueError("x" * 1000), Asked(0), (), "tests")  # type: ignore[arg-type]
    assert len(str(caught.value)) == 300
    assert SHOWN == 200


def test_memory_is_always_in_doubt() -> None:
    program: Any = Asked(1)
    found = failure(MemoryError(), 1, Watcher([]), program, "")
    assert found == {"verdict": "memory", "reason": "MemoryError", "doubt": True}


@pytest.mark.parametrize("where", ["prompt", "set-up code", "tests"])
@pytest.mark.parametrize(
    "kind", [AssertionError, AttributeError, TypeError, NameError, ValueError, SystemExit]
)
def test_trusted_code_that_fails_by_itself_says_so(kind: type[BaseException], where: str) -> None:
    def ask(error: BaseException, calls: int = 0) -> None:
        program: Any = Asked(calls)
        require_tests_own(error, program, {"f"}, where)

    ask(kind("text"), calls=1)  # after an answer anything may be the program's
    ask(raised(kind, own=True))
    ask(Unanswered())
    named = kind("text", name="f") if kind in (NameError, AttributeError) else kind("text")
    if where != "prompt" and kind in (AssertionError, AttributeError, TypeError, NameError):
        ask(named)
        if kind is NameError:
            with pytest.raises(Untestable, match="cannot be run: NameError: text"):
                ask(NameError("text", name="numpy"))
        return
    ends = "end the process" if where == "tests" else "ends the process"
    text = ends if kind is SystemExit else f"its {where} cannot be run: {kind.__name__}: text"
    with pytest.raises(Untestable, match=text):
        ask(named)


def ended(stopped: str, status: int = 0, cpu_s: float = 0.0) -> dict[str, Any]:
    """Return how a program ended that was over before its tests."""
    how = {"stopped": stopped, "status": status, "cpu_s": cpu_s, "reason": "cannot fork"}
    return verdict_of_end(how, {"limits": {"cpu_s": 2.0, "wall_s": 9.0, "output_mib": 4}})


def test_an_end_before_the_tests_were_over_has_its_verdict() -> None:
    assert ended("infrastructure") == {"verdict": "infrastructure", "reason": "cannot fork"}
    assert ended("cpu") == {"verdict": "timeout", "reason": "over its cpu limit of 2 s"}
    assert ended("wall") == {"verdict": "timeout", "reason": "over its wall limit of 9 s"}
    assert ended("output") == {"verdict": "error", "reason": "answered with more than 4 MiB", "doubt": True}
    assert ended("protocol") == {"verdict": "error", "reason": "broke the grader's format"}
    exited = "ended before its tests were over (exit status 3)"
    assert ended("died", 3 << 8) == {"verdict": "error", "reason": exited}
    assert ended("died", signal.SIGXCPU)["verdict"] == "timeout"
    assert ended("died", signal.SIGKILL, 2.1)["verdict"] == "timeout"
    assert ended("died", signal.SIGKILL, 2.0)["verdict"] == "error"  # at its limit, not over it
    assert ended("died", signal.SIGKILL) == {"verdict": "error", "reason": "killed (SIGKILL)", "killed": True}
    crashed = {"verdict": "error", "reason": "crashed (SIGSEGV)", "doubt": True}
    assert ended("died", signal.SIGSEGV) == crashed
    assert ended("died", 63) == {"verdict": "error", "reason": "crashed (signal 63)", "doubt": True}
