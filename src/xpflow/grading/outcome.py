"""The words of a verdict: what an exception in the tests, or the way a program ended, says of the program.

Standard library only.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from xpflow.grading.display import SHOWN, shown
    from xpflow.grading.remote import Program
    from xpflow.grading.stops import Unanswered
    from xpflow.grading.testcode import Watcher
else:
    from display import SHOWN, shown
    from remote import Program
    from stops import Unanswered
    from testcode import Watcher

Outcome = dict[str, Any]


def failure(error: BaseException, number: int, watcher: Watcher, program: Program, line: str) -> Outcome:
    """Return the verdict on an exception that ended the tests."""
    if isinstance(error, MemoryError):
        return {"verdict": "memory", "reason": "MemoryError"}
    own = getattr(error, "__notes__", None)  # set where the program itself raised it
    place = watcher.failing
    if own is None and isinstance(error, AssertionError):
        found: Outcome = {"verdict": "wrong", "reason": "AssertionError"}
    elif own is not None:
        found = {"verdict": "error", "reason": str(own[0])}
    else:
        found = {"verdict": "error", "reason": f"{type(error).__name__}: {error}"}
    text = place.text if place else line
    name, _, rest = (str(error) if isinstance(error, Unanswered) else found["reason"]).partition(": ")
    where = f" in test {number}{': ' + text if text else ''}" if number else ""
    found["reason"] = f"{name}{where}{': ' + rest if rest else ''}"[:300]
    if found["verdict"] == "wrong" or program.calls:
        found["test"], found["call"] = text[:SHOWN], program.last_call()
    if found["verdict"] == "wrong" and place is not None:
        found["found"], found["expected"] = shown(place.found), shown(place.expected)
    return found


def verdict_of_end(how: Outcome, request: dict[str, Any]) -> Outcome:
    """Return the verdict on a program that was over before its tests."""
    stopped, limits = how["stopped"], request["limits"]
    if stopped == "infrastructure":
        return {"verdict": "infrastructure", "reason": str(how["reason"])}
    if stopped in ("cpu", "wall"):
        return {"verdict": "timeout", "reason": f"over its {stopped} limit of {limits[stopped + '_s']:g} s"}
    if stopped == "output":
        return {"verdict": "error", "reason": f"answered with more than {limits['output_mib']} MiB"}
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
        return {"verdict": "error", "reason": f"crashed ({signal.Signals(number).name})"}
    return {"verdict": "error", "reason": f"crashed (signal {number})"}


def finish(found: Outcome, how: Outcome, request: dict[str, Any]) -> Outcome:
    """Add what was measured."""
    shares = {key: how.get(key, 0.0) for key in ("time_s", "cpu_s", "memory_mib")}
    return {**found, **shares, "mode": request["mode"], "spent": how.get("spent", False)}
