"""How the tests of a program end, and the words of a verdict for it.

What stops the tests before their end, values and calls as text, and what an exception in the tests, or the
way a program ended, says of the program. Standard library only.
"""

from __future__ import annotations

import os
import reprlib
import signal
from collections.abc import Container, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xpflow.grading.remote import Program
    from xpflow.grading.testcode import Watcher

Outcome = dict[str, Any]
SHOWN = 200  # characters of a value in a verdict
_REPR = reprlib.Repr()
_REPR.maxother = _REPR.maxstring = _REPR.maxlong = SHOWN // 2
_REPR.maxlist = _REPR.maxtuple = _REPR.maxdict = _REPR.maxset = 12


def shown_call(name: str, args: Iterable[Any], kwargs: dict[str, Any]) -> str:
    """Return a call as it would be typed, shortened."""
    words = [shown(value) for value in args] + [f"{key}={shown(value)}" for key, value in kwargs.items()]
    return f"{name}({', '.join(words)})"[:SHOWN]


def shown(value: Any) -> str:
    """Return a value as text, shortened."""
    try:
        return _REPR.repr(value)[:SHOWN]
    except Exception as error:
        return f"<{type(value).__name__}: {type(error).__name__}>"


class Stop(BaseException):
    """What ends the tests for good; a test with a bare `except` may hold it up, and it is raised again."""


class Ended(Stop):
    """The program is over before its tests are; `how` is what the keeper said."""

    def __init__(self, how: dict[str, Any]) -> None:
        self.how = how


class Broken(Stop):
    """The program said something that the format does not allow."""


class Uncarried(Broken):
    """The program's answer is more than the format carries."""


class JailLost(Stop):
    """The jail itself is gone: no verdict on the program."""


class Overtime(BaseException):
    """The tests, fed with the program's answers, take too long."""


class Untestable(Stop):
    """The benchmark's own prompt or tests do not run, or ask for what cannot be carried: no verdict."""


class Unhurried(Untestable):
    """The trusted code alone takes too long; on a busy machine it may be quicker another time."""


class Unanswered(BaseException):
    """A call ended in something that no test may catch: SystemExit and its kind."""


def require_tests_own(
    error: BaseException, program: Program, names: Container[str | None], where: str
) -> None:
    """Raise Untestable for an exception in trusted code that the program cannot have had a part in.

    It has one in everything after its first call, and before that where a name is absent from it or is not
    what the tests take it for.
    """
    if program.calls or getattr(error, "__notes__", None) or isinstance(error, Unanswered):
        return
    if isinstance(error, (AssertionError, AttributeError, TypeError)) and where != "prompt":
        return
    if isinstance(error, NameError) and where != "prompt" and error.name in names:
        return
    if isinstance(error, SystemExit):
        raise Untestable(
            f"its {where} end{'' if where == 'tests' else 's'} the process (SystemExit: {error})"
        )
    raise Untestable(f"its {where} cannot be run: {type(error).__name__}: {error}"[:300])


def failure(error: BaseException, number: int, watcher: Watcher, program: Program, line: str) -> Outcome:
    """Return the verdict on an exception that ended the tests.

    It is in `doubt` where it came up in the tests, or is of a kind that a jail brings about: the solution of
    the problem itself may end in the same way.
    """
    if isinstance(error, MemoryError):
        return {"verdict": "memory", "reason": "MemoryError", "doubt": True}
    own = getattr(error, "__notes__", None)  # set where the program itself raised it
    place = watcher.failing
    if own is None and isinstance(error, AssertionError):
        found: Outcome = {"verdict": "wrong", "reason": "AssertionError"}
    elif own is not None:
        found = {"verdict": "error", "reason": str(own[0])}
    else:
        kind = type(error).__name__
        kind += " (the tests end the process)" if isinstance(error, SystemExit) else ""
        found = {"verdict": "error", "reason": f"{kind}: {error}"}
    text = place.text if place else line
    name, _, rest = (str(error) if isinstance(error, Unanswered) else found["reason"]).partition(": ")
    where = f" in test {number}{': ' + text if text else ''}" if number else ""
    found["reason"] = f"{name}{where}{': ' + rest if rest else ''}"[:300]
    if found["verdict"] == "wrong" or program.calls:
        found["test"], found["call"] = text[:SHOWN], program.last_call()
    if found["verdict"] == "wrong" and place is not None:
        found["found"], found["expected"] = shown(place.found), shown(place.expected)
    found["doubt"], found["early"] = _doubt(error, own is not None, program), not program.calls
    return found


def _doubt(error: BaseException, own: bool, program: Program) -> bool:
    if isinstance(error, Unanswered):
        return False
    if own and not program.calls:  # the prompt is a part of it
        return True
    if isinstance(error, AssertionError):
        return not own and not program.calls
    return not own or isinstance(error, (ImportError, OSError, TypeError))  # TypeError: or called wrongly


def verdict_of_end(how: Outcome, request: dict[str, Any]) -> Outcome:
    """Return the verdict on a program that was over before its tests."""
    stopped, limits = how["stopped"], request["limits"]
    if stopped == "infrastructure":
        return {"verdict": "infrastructure", "reason": str(how["reason"])}
    if stopped in ("cpu", "wall"):
        return {"verdict": "timeout", "reason": f"over its {stopped} limit of {limits[stopped + '_s']:g} s"}
    if stopped == "output":
        reason = f"answered with more than {limits['output_mib']} MiB"
        return {"verdict": "error", "reason": reason, "doubt": True}
    if stopped == "protocol":
        return {"verdict": "error", "reason": "broke the grader's format"}
    status = how["status"]
    if not os.WIFSIGNALED(status):
        code = os.waitstatus_to_exitcode(status)
        return {"verdict": "error", "reason": f"ended before its tests were over (exit status {code})"}
    number = os.WTERMSIG(status)
    if number == signal.SIGXCPU or how["cpu_s"] > limits["cpu_s"]:
        return {"verdict": "timeout", "reason": f"over its cpu limit of {limits['cpu_s']:g} s"}
    if number == signal.SIGKILL:  # itself, or the kernel for want of memory: the caller tries again
        return {"verdict": "error", "reason": "killed (SIGKILL)", "killed": True}
    with suppress(ValueError):
        return {"verdict": "error", "reason": f"crashed ({signal.Signals(number).name})", "doubt": True}
    return {"verdict": "error", "reason": f"crashed (signal {number})", "doubt": True}


def finish(found: Outcome, how: Outcome, request: dict[str, Any]) -> Outcome:
    """Add what was measured."""
    shares = {key: how.get(key, 0.0) for key in ("time_s", "cpu_s", "memory_mib")}
    return {**found, **shares, "mode": request["mode"], "spent": how.get("spent", False)}
