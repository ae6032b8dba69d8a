"""The trusted side of one seat: it holds the tests and the expected values, and speaks the verdict.

A process of its own between the pool and a jail, so that a test that does not end can be ended. It starts the
jail, sends it the program, and runs the tests against stand-ins for the program's functions (`remote.py`): a
call travels to the jail as plain data, and its answer comes back as plain data. Comparison happens here,
between builtin values. Standard library only; imports nothing of xpflow but the files beside it.

Covers: a program can only pass by answering every call with the right value. Does not cover: mode "shared"
(see `child.py`), answers that are no plain data, and `is` between an argument and an answer.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import resource
import secrets
import signal
import struct
import sys
import time
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING or __package__:
    from xpflow.grading import testcode
    from xpflow.grading.outcome import (
        Broken,
        Ended,
        JailLost,
        Outcome,
        Overtime,
        Stop,
        Unanswered,
        Uncarried,
        Unhurried,
        Untestable,
        failure,
        finish,
        require_tests_own,
        verdict_of_end,
    )
    from xpflow.grading.remote import Jail, Program, Remote
else:
    import testcode
    from outcome import (
        Broken,
        Ended,
        JailLost,
        Outcome,
        Overtime,
        Stop,
        Unanswered,
        Uncarried,
        Unhurried,
        Untestable,
        failure,
        finish,
        require_tests_own,
        verdict_of_end,
    )
    from remote import Jail, Program, Remote

SLACK_S = 2.0  # wall time for the tests beyond the program's own (pool.py waits a little longer)
ORACLE_MIB = 2048
CACHED = 256  # problems whose tests stay compiled
RECURSION = 5000
PROGRAMS_OWN = ("wrong", "error", "timeout", "memory")
_pool = [0, 1]  # descriptors of the pool's pipes: requests, replies


def main() -> None:
    """Serve requests until stdin ends; argv[1] is JSON: command, environment, folder of the jail, libraries.

    `libraries` are folders from which tests may import, as numpy; what is in our own folder stays in front.
    """
    launch = json.loads(sys.argv[1])
    sys.path += launch.get("libraries", [])
    jail = Jail(launch)
    keep_apart(jail)
    os._exit = leave
    try:
        _, hello = jail.read()
    except (JailLost, Broken) as lost:
        sys.exit(f"{lost}")
    limit = ORACLE_MIB << 20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    tell({"ready": hello["ready"]})
    while (request := next_request()) is not None:
        tell(judge(jail, request))


def judge(jail: Jail, request: dict[str, Any]) -> Outcome:
    """Return the outcome of one program."""
    program = Program(jail)
    sys.setrecursionlimit(RECURSION)
    signal.signal(signal.SIGALRM, overtime)
    signal.setitimer(signal.ITIMER_REAL, request["limits"]["wall_s"] + SLACK_S)
    try:
        run = run_shared if request["mode"] == "shared" else run_tests
        found = run(program, request)
    except JailLost as lost:
        return {"verdict": "infrastructure", "reason": str(lost), "spent": True}
    except Ended as over:
        signal.setitimer(signal.ITIMER_REAL, 0)
        return finish(verdict_of_end(over.how, request), over.how, request)
    except Broken as broken:
        reason = f"broke the grader's format: {broken}"
        found = {"verdict": "error", "reason": reason, "doubt": isinstance(broken, Uncarried)}
    except Untestable as why:
        found = {
            "verdict": "infrastructure",
            "reason": str(why),
            "untestable": not isinstance(why, Unhurried),
        }
    except Overtime:
        found = {"verdict": "timeout", "reason": "its answers keep the tests busy", "doubt": True}
    except MemoryError:
        found = {"verdict": "memory", "reason": "its answers are too large for the tests", "doubt": True}
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    if not program.started:
        return finish(found, {}, request)
    try:
        how = jail.ended()
    except JailLost as lost:
        return {"verdict": "infrastructure", "reason": str(lost), "spent": True}
    if found["verdict"] in PROGRAMS_OWN and how["stopped"] in ("cpu", "wall"):
        found = verdict_of_end(how, request)
    return finish(found, how, request)


def run_tests(program: Program, request: dict[str, Any]) -> Outcome:
    """Run the tests of a problem here, against the program's functions there."""
    tests = prepared(request["key"], request["problem"])
    watcher, place = testcode.Watcher(tests.asserts), Place()
    start = time.monotonic()
    try:
        kinds = program.start(request, tests.names)
        tell({"stage": "tests"})
    except (Exception, Unanswered) as error:
        return failure(error, 0, watcher, program, "")
    ready = time.monotonic()
    try:
        found = run_trusted(program, kinds, tests, watcher, place)
    except Stop:
        raise
    except Overtime:
        if not program.calls and ready - start < request["limits"]["wall_s"] / 2:
            raise Unhurried(f"its {place.where} took too long before the program was called") from None
        raise
    except BaseException as error:  # SystemExit, KeyboardInterrupt, and those of tests' own
        require_tests_own(error, program, tests.names, place.where)
        return failure(error, place.number, watcher, program, tests.line_of(error))
    if program.over is not None:  # a test with a bare `except` has swallowed it
        raise program.over
    return found


@dataclass(slots=True)
class Place:
    """Where the trusted code of a problem has got to: what part of it, and which test."""

    where: str = "prompt"
    number: int = 0


def run_trusted(
    program: Program, kinds: dict[str, str], tests: testcode.Tests, watcher: testcode.Watcher, place: Place
) -> Outcome:
    """Run what is the benchmark's own: the prompt's helpers, the setup code, the tests."""
    space: dict[str, Any] = {}
    if tests.helpers is not None:
        exec(tests.helpers, space)
    space.pop(tests.check, None)  # the prompt's stub of the function to be written
    place.where = "set-up code"
    bind(space, program, kinds, tests)
    space.update(watcher.hooks())
    exec(tests.setup, space)
    for code in tests.codes:
        place.where, place.number = "tests", place.number + 1
        exec(code, space)
    if tests.check:
        if "check" not in space:
            raise Untestable("its tests define no `check`")
        if tests.check not in space:
            reason = f"the program defines no {tests.check!r}"
            return {"verdict": "error", "reason": reason, "doubt": True, "early": True}
        said = space["check"](space[tests.check])
        if inspect.iscoroutine(said) or inspect.isgenerator(said) or inspect.isasyncgen(said):
            raise Untestable("its `check` is a coroutine or a generator: calling it runs no test")
    if tests.names and not program.calls and program.over is None:
        raise Untestable("its tests never call the program: any would pass")
    return {"verdict": "passed", "reason": ""}


def bind(space: dict[str, Any], program: Program, kinds: dict[str, str], tests: testcode.Tests) -> None:
    """Put stand-ins for the program's names into the tests' name space."""
    for name in tests.names:
        kind = kinds.get(name, "absent")
        if kind in ("function", "class"):
            space[name] = Remote(program, name)
        elif kind == "module" and name in tests.imports:
            space[name] = importlib.import_module(tests.imports[name])
        elif kind == "value":
            space[name] = program.value(name)


def run_shared(program: Program, request: dict[str, Any]) -> Outcome:
    """Let program and tests run together in the jail, and believe what comes with the nonce."""
    problem, nonce = request["problem"], secrets.token_hex(16)
    body = {"program": request["program"], "limits": request["limits"], "nonce": nonce}
    program.hand_over({**body, **{key: problem[key] for key in ("setup", "tests", "check")}})
    message = program.hear()
    if message[0] == "unconfined":
        raise JailLost(f"cannot set the limits: {message[1]}")
    if len(message) != 3 or message[1] != nonce or type(message[2]) is not dict:
        raise Broken("not its verdict")
    verdict, reason = message[2].get("verdict"), message[2].get("reason")
    if verdict not in ("passed", "wrong", "error", "memory") or type(reason) is not str:
        raise Broken("not a verdict")
    return {"verdict": verdict, "reason": reason[:300], "doubt": verdict in ("error", "memory")}


def prepared(
    key: str,
    problem: dict[str, Any],
    cache: dict[str, testcode.Tests] = {},  # noqa: B006 (a cache)
) -> testcode.Tests:
    """Return the compiled tests of a problem; `key` stands for all of it. Raises Untestable."""
    if key not in cache:
        if len(cache) >= CACHED:
            cache.pop(next(iter(cache)))
        try:
            cache[key] = testcode.compile_tests(problem)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise Untestable(
                f"its prompt or tests cannot be compiled: {type(error).__name__}: {error}"[:300]
            ) from None
    return cache[key]


def overtime(number: int, frame: FrameType | None) -> None:
    """End tests that do not come to an end (the alarm's handler)."""
    raise Overtime


def keep_apart(jail: Jail) -> None:
    """Take the pool's pipes off descriptors 0 and 1, where tests read and print, and from their forks."""
    _pool[:] = [os.dup(descriptor) for descriptor in _pool]
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(nothing, descriptor)
    private = (*_pool, jail.sink, jail.source)
    os.register_at_fork(after_in_child=lambda: [os.dup2(nothing, one) for one in private] and None)


def leave(status: int, _home: int = os.getpid(), _exit: Any = os._exit) -> NoReturn:
    """Stand in for os._exit, which tests call: here it is an end of theirs, in their forks what it was."""
    if os.getpid() != _home:
        _exit(status)
    raise SystemExit(status)


def tell(message: Outcome) -> None:
    """Write one frame (4 bytes little-endian length, JSON) to the pool."""
    data = json.dumps(message).encode()
    data = struct.pack("<I", len(data)) + data
    while data:
        data = data[os.write(_pool[1], data) :]


def next_request() -> dict[str, Any] | None:
    """Read one frame of the pool; None at the end of its stream."""
    header = read_exactly(4)
    body = read_exactly(struct.unpack("<I", header)[0]) if header else None
    return None if body is None else dict(json.loads(body))


def read_exactly(size: int) -> bytes | None:
    """Read `size` bytes from the pool, or None when it ends before."""
    data = bytearray()
    while len(data) < size:
        part = os.read(_pool[0], min(size - len(data), 1 << 20))
        if not part:
            return None
        data += part
    return bytes(data)


if __name__ == "__main__":
    main()
