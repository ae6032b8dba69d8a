"""The trusted side of one seat: it holds the tests and the expected values, and speaks the verdict.

A process of its own between the pool and a jail, so that a test that does not end can be ended. It starts the
jail, sends it the program, and runs the tests here against stand-ins (`Remote`) for the program's functions:
a call travels to the jail as plain data, and its answer comes back as plain data (`wire.py`). Comparison
happens here, between builtin values. Standard library only;
imports nothing of xpflow but the files beside it.

Covers: a program can only pass by answering every call with the right value. Does not cover: mode "shared"
(see `worker.py`), answers that are no plain data, and `is` between an argument and an answer.
"""

from __future__ import annotations

import array
import collections
import importlib
import json
import os
import reprlib
import resource
import secrets
import signal
import struct
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from xpflow.grading import testcode, wire
else:
    import testcode
    import wire

Outcome = dict[str, Any]
SLACK_S = 2.0  # wall time for the tests beyond the program's own (pool.py waits a little longer)
ORACLE_MIB = 2048
SHOWN = 200  # characters of a value in a verdict
CACHED = 256  # problems whose tests stay compiled


class Stop(BaseException):
    """What ends the tests for good; a test with a bare `except` may hold it up, and it is raised again."""


class Ended(Stop):
    """The program is over before its tests are; `how` is what the keeper said."""

    def __init__(self, how: Outcome) -> None:
        self.how = how


class Broken(Stop):
    """The program said something that the format does not allow."""


class JailLost(Stop):
    """The jail itself is gone: no verdict on the program."""


class Overtime(BaseException):
    """The tests, fed with the program's answers, take too long."""


class Untestable(Stop):
    """The benchmark's own tests ask for what the format cannot carry: no verdict on the program."""


class Unanswered(BaseException):
    """A call ended in something that no test may catch: SystemExit and its kind."""


class Jail:
    """The jail's process and the frames to and from its keeper."""

    def __init__(self, launch: dict[str, Any]) -> None:
        self.process = subprocess.Popen(
            launch["command"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=launch["environment"],
            cwd=launch["folder"],
            bufsize=0,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.sink, self.source = self.process.stdin.fileno(), self.process.stdout.fileno()
        self.frames = wire.Frames()

    def say(self, channel: int, message: Any) -> None:
        """Write a message."""
        try:
            data = wire.frame(channel, message)
        except wire.WireError as error:
            raise Untestable(f"the grader's message cannot be carried over: {error}") from None
        try:
            while data:
                data = data[os.write(self.sink, data) :]
        except OSError as error:
            raise JailLost(f"the jail is gone: {error}") from None

    def read(self) -> tuple[int, Any]:
        """Wait for the next message; raises JailLost at the end of the stream, Broken for nonsense."""
        try:
            while (found := self.frames.take()) is None:
                part = os.read(self.source, 1 << 16)
                if not part:
                    raise JailLost("the jail ended")
                self.frames.feed(part)
        except wire.WireError as error:  # headers are the keeper's own
            raise JailLost(f"the keeper does not speak the format: {error}") from None
        channel, body = found
        try:
            return channel, wire.parse(body)
        except wire.WireError as error:
            if channel == wire.KEEPER:
                raise JailLost(str(error)) from None
            raise Broken(str(error)) from None

    def ended(self) -> Outcome:
        """Have the program ended if it is not yet, and return how it did."""
        self.say(wire.KEEPER, {"end": True})
        while True:
            with suppress(Broken):
                channel, message = self.read()
                if channel == wire.KEEPER:
                    return dict(message["ended"])


class Program:
    """One program in the jail, asked by call."""

    def __init__(self, jail: Jail) -> None:
        self.jail, self.calls = jail, 0
        self.last: tuple[str, list[Any]] | None = None
        self.over: Stop | None = None

    def start(self, request: dict[str, Any], names: list[str]) -> dict[str, str]:
        """Run the program; return what each name is in it."""
        body = {"program": request["program"], "names": names, "limits": request["limits"]}
        self.jail.say(wire.KEEPER, body)
        message = self.hear()
        if message[0] == "unconfined":
            raise JailLost(f"cannot set the limits: {message[1]}")
        if message[0] == "raised":
            self.fail(message[2:])
        kinds = message[1] if message[0] == "ready" and len(message) == 2 else None
        if type(kinds) is not dict or not all(type(kind) is str for kind in kinds.values()):
            raise Broken("no list of names")
        return kinds

    def hear(self) -> list[Any]:
        """Return the program's next message; raises Ended when it is over."""
        channel, message = self.jail.read()
        if channel == wire.KEEPER:
            raise Ended(dict(message["ended"]))
        if type(message) is not list or not message:
            raise Broken("not a message")
        return message

    def call(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a function of the program, and carry over what it changed in its arguments."""
        try:
            packed = [wire.pack(args, strict=True), wire.pack(kwargs, strict=True)]
        except wire.WireError as error:
            self.over = Untestable(
                f"{shown_call(name, args, kwargs)}: an argument cannot be carried over: {error}"
            )
            raise self.over from None
        self.last = (name, packed)
        try:
            value, changed = self.ask(name, packed, len(args))
            for place, new in changed:
                replace(args[place], new)
        except Stop as over:
            self.over = over
            raise
        return value

    def last_call(self) -> str:
        """Return the last call as it would be typed, with its arguments as they were sent."""
        if self.last is None:
            return ""
        name, (args, kwargs) = self.last
        return shown_call(name, wire.unpack(args), wire.unpack(kwargs))

    def value(self, name: str) -> Any:
        """Return a value that the program holds under a name."""
        return self.ask(name, None, 0)[0]

    def ask(self, name: str, packed: Any, count: int) -> tuple[Any, list[tuple[int, Any]]]:
        """Send a call under a number that cannot be guessed, and return its answer."""
        number = secrets.randbits(62)
        self.calls += 1
        self.jail.say(wire.CANDIDATE, [number, name, packed])
        message = self.hear()
        if len(message) < 3 or type(message[1]) is not int or message[1] != number:
            raise Broken("an answer to no question")
        if message[0] == "value" and len(message) == 4:
            try:
                return wire.unpack(message[2]), changes(message[3], count)
            except wire.WireError as error:
                raise Broken(str(error)) from None
        if message[0] == "unwritable":
            raise Broken(f"its answer cannot be carried over: {message[2]!s:.80}")
        self.fail(message[2:])
        return None, []

    def fail(self, told: list[Any]) -> None:
        """Raise what the program raised, as the nearest builtin exception, marked as the program's own."""
        if len(told) != 3 or not all(type(part) is str for part in told):
            raise Broken("not a message")
        name, own, text = told
        if not name:
            raise Unanswered(f"{own}{': ' if text else ''}{text}")
        try:
            error = wire.rebuild_error(name, text)
        except wire.WireError as wrong:
            raise Broken(str(wrong)) from None
        error.__notes__ = [f"{own}{': ' if text else ''}{text}"]
        raise error


class Remote:
    """A function of the program, as the tests see it."""

    def __init__(self, program: Program, name: str) -> None:
        self._program, self.__name__ = program, name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._program.call(self.__name__, args, kwargs)


def main() -> None:
    """Serve requests until stdin ends; argv[1] is JSON: command, environment, folder of the jail."""
    jail = Jail(json.loads(sys.argv[1]))
    try:
        _, hello = jail.read()
    except (JailLost, Broken) as lost:
        sys.exit(f"{lost}")
    signal.signal(signal.SIGALRM, overtime)
    limit = ORACLE_MIB << 20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    sys.setrecursionlimit(5000)
    tell({"ready": hello["ready"]})
    while (request := next_request()) is not None:
        tell(judge(jail, request))


def judge(jail: Jail, request: dict[str, Any]) -> Outcome:
    """Return the outcome of one program."""
    program = Program(jail)
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
        found = {"verdict": "error", "reason": f"broke the grader's format: {broken}"}
    except Untestable as why:
        found = {"verdict": "infrastructure", "reason": str(why)}
    except Overtime:
        found = {"verdict": "timeout", "reason": "its answers keep the tests busy"}
    except MemoryError:
        found = {"verdict": "memory", "reason": "its answers are too large for the tests"}
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    try:
        how = jail.ended()
    except JailLost as lost:
        return {"verdict": "infrastructure", "reason": str(lost), "spent": True}
    if found["verdict"] != "passed" and how["stopped"] in ("cpu", "wall"):
        found = verdict_of_end(how, request)
    return finish(found, how, request)


def finish(found: Outcome, how: Outcome, request: dict[str, Any]) -> Outcome:
    """Add what was measured."""
    shares = {key: how.get(key, 0.0) for key in ("time_s", "cpu_s", "memory_mib")}
    return {**found, **shares, "mode": request["mode"], "spent": how.get("spent", False)}


def run_tests(program: Program, request: dict[str, Any]) -> Outcome:
    """Run the tests of a problem here, against the program's functions there."""
    tests = prepared(request["key"], request["problem"])
    space: dict[str, Any] = {}
    watcher, number = testcode.Watcher(tests.asserts), 0
    try:
        kinds = program.start(request, tests.names)
        tell({"stage": "tests"})
        if tests.helpers is not None:
            exec(tests.helpers, space)
        space.pop(tests.check, None)  # the prompt's stub of the function to be written
        bind(space, program, kinds, tests)
        space.update(watcher.hooks())
        exec(tests.setup, space)
        for code in tests.codes:
            number += 1
            exec(code, space)
        if tests.check:
            if tests.check not in space:
                return {"verdict": "error", "reason": f"the program defines no {tests.check!r}"}
            space["check"](space[tests.check])
    except (Exception, Unanswered) as error:
        return failure(error, number, watcher, program, tests.line_of(error))
    if program.over is not None:  # a test with a bare `except` has swallowed it
        raise program.over
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


def failure(
    error: BaseException, number: int, watcher: testcode.Watcher, program: Program, line: str
) -> Outcome:
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


def run_shared(program: Program, request: dict[str, Any]) -> Outcome:
    """Let program and tests run together in the jail, and believe what comes with the nonce."""
    problem, nonce = request["problem"], secrets.token_hex(16)
    body = {"program": request["program"], "limits": request["limits"], "nonce": nonce}
    program.jail.say(wire.KEEPER, {**body, **{key: problem[key] for key in ("setup", "tests", "check")}})
    message = program.hear()
    if message[0] == "unconfined":
        raise JailLost(f"cannot set the limits: {message[1]}")
    if len(message) != 3 or message[1] != nonce or type(message[2]) is not dict:
        raise Broken("not its verdict")
    verdict, reason = message[2].get("verdict"), message[2].get("reason")
    if verdict not in ("passed", "wrong", "error", "memory") or type(reason) is not str:
        raise Broken("not a verdict")
    return {"verdict": verdict, "reason": reason[:300]}


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


def prepared(
    key: str,
    problem: dict[str, Any],
    cache: dict[str, testcode.Tests] = {},  # noqa: B006 (a cache)
) -> testcode.Tests:
    """Return the compiled tests of a problem; `key` stands for all of it."""
    if key not in cache:
        if len(cache) >= CACHED:
            cache.pop(next(iter(cache)))
        cache[key] = testcode.compile_tests(problem)
    return cache[key]


def replace(old: Any, new: Any) -> None:
    """Give an argument the content that the program left in its copy; what cannot change stays."""
    if type(old) is not type(new):
        raise Broken("an argument of another type")
    if isinstance(old, dict):
        new = {key: renewed(old.get(key), now) for key, now in new.items()}
    elif isinstance(old, list) and len(old) == len(new):
        new = list(map(renewed, old, new))
    if isinstance(old, (list, bytearray, array.array)):
        old[:] = new
    elif isinstance(old, (dict, set)):
        old.clear()
        old.update(new)
    elif isinstance(old, collections.deque):
        old.clear()
        old.extend(new)


def renewed(old: Any, new: Any) -> Any:
    """Return the object that stands for `new`: `old` itself with new content where that can be."""
    if isinstance(old, (list, dict, set)) and type(old) is type(new):
        replace(old, new)
        return old
    return new


def changes(sent: Any, count: int) -> list[tuple[int, Any]]:
    """Return (place, new content) of the arguments that a call changed; raises WireError on nonsense."""
    found = []
    for pair in sent if type(sent) is list else [None]:
        if type(pair) is not list or len(pair) != 2 or type(pair[0]) is not int or not 0 <= pair[0] < count:
            raise wire.WireError("not a list of changes")
        found.append((pair[0], wire.unpack(pair[1])))
    return found


def shown_call(name: str, args: Iterable[Any], kwargs: dict[str, Any]) -> str:
    """Return a call as it would be typed, shortened."""
    words = [shown(value) for value in args] + [f"{key}={shown(value)}" for key, value in kwargs.items()]
    return f"{name}({', '.join(words)})"[:SHOWN]


_REPR = reprlib.Repr()
_REPR.maxother = _REPR.maxstring = _REPR.maxlong = SHOWN // 2
_REPR.maxlist = _REPR.maxtuple = _REPR.maxdict = _REPR.maxset = 12


def shown(value: Any) -> str:
    """Return a value as text, shortened."""
    try:
        return _REPR.repr(value)[:SHOWN]
    except Exception as error:
        return f"<{type(value).__name__}: {type(error).__name__}>"


def overtime(number: int, frame: FrameType | None) -> None:
    """End tests that do not come to an end (the alarm's handler)."""
    raise Overtime


def tell(message: Outcome) -> None:
    """Write one frame (4 bytes little-endian length, JSON) to the pool."""
    data = json.dumps(message).encode()
    data = struct.pack("<I", len(data)) + data
    while data:
        data = data[os.write(1, data) :]


def next_request() -> dict[str, Any] | None:
    """Read one frame of the pool; None at the end of its stream."""
    header = read_exactly(4)
    body = read_exactly(struct.unpack("<I", header)[0]) if header else None
    return None if body is None else dict(json.loads(body))


def read_exactly(size: int) -> bytes | None:
    """Read `size` bytes from stdin, or None when it ends before."""
    data = b""
    while len(data) < size:
        part = os.read(0, min(size - len(data), 1 << 20))
        if not part:
            return None
        data += part
    return data


if __name__ == "__main__":
    main()
