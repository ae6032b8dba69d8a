"""One untrusted program in its own fork: confined, run, and asked. Standard library only.

It answers calls of its functions. It never sees a test, unless in mode "shared", and what it says travels on
a channel of its own, so it cannot speak for the keeper (`worker.py`). In mode "shared" program and tests run
together, for tests that build the program's own objects: a program written to forge its verdict can do so
there, and the verdict says that the mode was used.
"""

from __future__ import annotations

import math
import os
import random
import resource
import socket
import sys
import types
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from xpflow.grading.frames import CANDIDATE, Link, WireError, frame, parse
    from xpflow.grading.packing import builtin_error, pack
    from xpflow.grading.unpacking import unpack
else:
    from frames import CANDIDATE, Link, WireError, frame, parse
    from packing import builtin_error, pack
    from unpacking import unpack

Request = dict[str, Any]
REASON_LIMIT = 300  # characters


def run_child(request: Request, setup: dict[str, Any], theirs: socket.socket) -> None:
    """In the fork: confine, run the program, answer calls (or run the tests), end. Never returns."""
    leave, link = os._exit, Link(theirs.fileno(), theirs.fileno())
    try:
        confine(request["limits"], setup, theirs.fileno())
    except BaseException as error:  # whatever it is, it comes before the program's first statement
        link.say(CANDIDATE, ["unconfined", f"{type(error).__name__}: {error}"[:REASON_LIMIT]])
        leave(0)
    try:
        random.seed(0)
        module = types.ModuleType("candidate")
        sys.modules["candidate"] = module
        if "tests" in request:
            link.say(CANDIDATE, ["verdict", request["nonce"], run_shared(request, module.__dict__)])
        else:
            answer_calls(request, module.__dict__, link)
    finally:
        leave(0)


def confine(limits: dict[str, Any], setup: dict[str, Any], keep: int) -> None:
    """Leave the session, close all descriptors but its socket, set the limits, become the jail's user."""
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.closerange(3, keep)
    os.closerange(keep + 1, 1024)
    mib, cpu = 1 << 20, math.ceil(limits["cpu_s"]) + 1
    for kind, value in (
        (resource.RLIMIT_AS, limits["memory_mib"] * mib),
        (resource.RLIMIT_FSIZE, limits["file_mib"] * mib),
        (resource.RLIMIT_NOFILE, limits["open_files"]),
        (resource.RLIMIT_NPROC, limits["processes"]),
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (value, value))
    if setup["uid"] is not None:
        os.setgroups([])
        os.setresgid(setup["uid"], setup["uid"], setup["uid"])
        os.setresuid(setup["uid"], setup["uid"], setup["uid"])
    if setup["filter"] is not None:
        setup["filter"].apply()


def answer_calls(request: Request, space: dict[str, Any], link: Link) -> None:
    """Run the program, say what the tests' names are in it, then answer calls for ever."""
    try:
        execute(request["program"], "<program>", space)
    except BaseException as error:
        link.say(CANDIDATE, ["raised", 0, *told(error)])
        return
    link.say(CANDIDATE, ["ready", {name: kind_of(space, name) for name in request["names"]}])
    while (found := link.read()) is not None:
        link.pass_on(answer(parse(found[1]), space))


def kind_of(space: dict[str, Any], name: str) -> str:
    """Return what a name of the program is: absent, module, class, function or value."""
    if name not in space:
        return "absent"
    value = space[name]
    if isinstance(value, types.ModuleType):
        return "module"
    if isinstance(value, type):
        return "class"
    return "function" if callable(value) else "value"


def answer(call: list[Any], space: dict[str, Any]) -> bytes:
    """Call a function (or read a value) of the program and return the answer as a frame."""
    number, name, packed = call
    try:
        if packed is None:
            return frame(CANDIDATE, ["value", number, pack(space[name]), []])
        args, kwargs = unpack(packed[0]), unpack(packed[1])
        before = [pack(value) if mutable(value) else None for value in args]
        value = pack(space[name](*args, **kwargs))
        changed = [
            [place, now]
            for place, old in enumerate(before)
            if old is not None and (now := pack(args[place])) != old
        ]
        return frame(CANDIDATE, ["value", number, value, changed])
    except WireError as error:
        return frame(CANDIDATE, ["unwritable", number, str(error)])
    except BaseException as error:
        return frame(CANDIDATE, ["raised", number, *told(error)])


def mutable(value: Any) -> bool:
    """Return whether a call may change an argument in a way that its caller sees."""
    return not isinstance(value, (int, float, str, bytes, complex, type(None), range))


def told(error: BaseException) -> list[str]:
    """Return an exception as its nearest builtin class, its own class's name and its text."""
    name, own = builtin_error(type(error))
    try:
        text = str(error)[:REASON_LIMIT]
    except BaseException:
        text = ""
    if isinstance(error, MemoryError):
        name = "MemoryError"
    return [name if isinstance(error, Exception) else "", own, text]


def run_shared(request: dict[str, Any], space: dict[str, Any]) -> dict[str, Any]:
    """Execute the program, the setup code and the tests, in this order, in one module."""
    try:
        execute(request["program"], "<program>", space)
        execute(request["setup"], "<setup>", space)
        for number, test in enumerate(request["tests"], start=1):
            execute(test, f"<test {number}>", space)
        if request["check"]:
            space["check"](space[request["check"]])
    except BaseException as error:
        return explain(error, request["tests"])
    return {"verdict": "passed", "reason": ""}


def execute(source: str, name: str, space: dict[str, Any]) -> None:
    """Compile and run source text in `space`."""
    try:
        code = compile(source, name, "exec", dont_inherit=True)
    except MemoryError as error:  # how the parser says "nested too deeply"
        raise SyntaxError("too complex for the parser") from error
    exec(code, space)


def explain(error: BaseException, tests: list[str]) -> dict[str, Any]:
    """Return the verdict for an exception, with the failing test's own line where there is one."""
    if isinstance(error, MemoryError):
        return {"verdict": "memory", "reason": "MemoryError"}
    trace, where, inner = error.__traceback__, "", ""
    while trace is not None:
        inner = trace.tb_frame.f_code.co_filename
        if inner.startswith("<test "):
            number = int(inner[6:-1])
            line = tests[number - 1].splitlines()[trace.tb_lineno - 1].strip()
            where = f" in test {number}: {line}"
        trace = trace.tb_next
    wrong = isinstance(error, AssertionError) and inner.startswith("<test ")
    try:
        text = "" if wrong else f": {error}"
    except BaseException:
        text = ""
    reason = f"{type(error).__name__}{where}{text}"[:REASON_LIMIT]
    return {"verdict": "wrong" if wrong else "error", "reason": reason}
