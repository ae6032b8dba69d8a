"""The jailed side: a fork server ("keeper") that runs one untrusted program at a time. Standard library only.

It runs as its own process, inside a jail where there is one, and imports nothing of xpflow but the two files
beside it: the file is started by path. Messages are the frames of `wire.py` on stdin and stdout, from and to
the oracle. Each program gets a fresh fork with limits set, which answers calls of the program's functions; it
never sees a test, and what it says travels on a channel of its own, so it cannot speak for the keeper. What
the program leaves running is killed before the keeper says how it ended.

Mode "shared": program and tests run together in the fork, for tests that build objects of the program's own
classes. A program written to forge its verdict can do so there; the verdict says that it was used.
"""

from __future__ import annotations

import ctypes
import gc
import json
import math
import os
import random
import resource
import select
import signal
import socket
import sys
import time
import types
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from xpflow.grading import seccomp, wire
else:
    import seccomp
    import wire

# Imported before the forks, so that programs get them at once.
PRELOADED = (
    *(
        "typing",
        "re",
        "collections",
        "itertools",
        "functools",
        "heapq",
        "bisect",
        "string",
        "copy",
        "operator",
    ),
    *("datetime", "decimal", "fractions", "hashlib", "statistics", "cmath", "array", "enum", "dataclasses"),
)
REASON_LIMIT = 300
CHECK_EVERY_MS = 20
PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER = 4, 36
Request = dict[str, Any]
Result = dict[str, Any]


class Link:
    """Frames from the oracle on descriptor `source`, to it on `sink`."""

    def __init__(self, source: int, sink: int) -> None:
        self.source, self.sink, self.frames = source, sink, wire.Frames()

    def read(self) -> tuple[int, bytes] | None:
        """Wait for the next frame; None at the end of the stream."""
        while (found := self.frames.take()) is None:
            if not self.fill():
                return None
        return found

    def fill(self) -> bool:
        """Read what is there; False at the end of the stream."""
        try:
            part = os.read(self.source, 1 << 16)
        except ConnectionError:
            part = b""
        self.frames.feed(part)
        return bool(part)

    def say(self, channel: int, message: Any) -> None:
        """Write a message."""
        self.pass_on(wire.frame(channel, message))

    def pass_on(self, data: bytes) -> None:
        """Write bytes, all of them."""
        while data:
            data = data[os.write(self.sink, data) :]


def main() -> None:
    """Serve programs until stdin ends; argv[1] is JSON: uid (or null), contained, folder."""
    setup = json.loads(sys.argv[1])
    prepare(setup)
    link = Link(0, 1)
    link.say(wire.KEEPER, {"ready": sys.version.split()[0]})
    while (found := link.read()) is not None:
        channel, body = found
        request = wire.parse(body)
        if channel == wire.KEEPER and "program" in request:  # else left over from a program that has ended
            result = serve(request, setup, link)
            result["spent"] = not is_empty(setup["folder"])  # files were left: do not use this jail again
            link.say(wire.KEEPER, {"ended": result})


def prepare(setup: dict[str, Any]) -> None:
    """Make this process hard to reach for the programs, and import what they often need."""
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)  # no ptrace, no /proc/PID/mem
    if not setup["contained"]:
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        setup["uid"] = usable_user(setup["uid"], setup["folder"])
    program = seccomp.build()
    setup["filter"] = None if program is None else seccomp.Filter(program, libc)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.path[:] = [path for path in sys.path if path != os.path.dirname(os.path.abspath(__file__))]
    os.chdir(setup["folder"])
    for name in PRELOADED:
        __import__(name)
    gc.collect()
    gc.freeze()


def is_empty(folder: str) -> bool:
    """Return whether a folder is empty; one that cannot be read any more is not."""
    try:
        return not os.listdir(folder)
    except OSError:
        return False


def usable_user(uid: int | None, folder: str) -> int | None:
    """Return `uid` if it can read the standard library (root's home may hide it), else None."""
    if uid is None:
        return None
    child = os.fork()
    if child == 0:
        os.setresuid(uid, uid, uid)
        os._exit(0 if os.access(os.__file__, os.R_OK) else 1)
    if os.waitpid(child, 0)[1] != 0:
        return None
    os.chown(folder, uid, uid)
    return uid


def serve(request: Request, setup: dict[str, Any], link: Link) -> Result:
    """Fork, let the program answer, kill what is left of it, and say how it ended."""
    ours, theirs = socket.socketpair()
    start = time.monotonic()
    try:
        child = os.fork()
    except OSError as error:
        ours.close()
        theirs.close()
        return {"stopped": "infrastructure", "reason": f"cannot fork: {error}"}
    if child == 0:
        run_child(request, setup, theirs)
    theirs.close()
    stopped = watch(child, ours, request["limits"], start, link)
    cpu_s, wall_s = cpu_time(child), time.monotonic() - start
    status, usage = end(child, setup["contained"])
    if stopped == "gone":
        raise SystemExit(0)
    if stopped == "died":
        relay_rest(ours, request["limits"], link)
    ours.close()
    return {
        "stopped": stopped,
        "status": status,
        "cpu_s": max(cpu_s, usage.ru_utime + usage.ru_stime),
        "time_s": wall_s,
        "memory_mib": usage.ru_maxrss / 1024,
    }


def watch(child: int, ours: socket.socket, limits: dict[str, Any], start: float, link: Link) -> str:
    """Carry frames between the oracle and the child until the oracle says that it is done ("done") or is gone
    ("gone"), the child ends ("died"), hits a limit ("cpu", "wall", "output") or breaks the format
    ("protocol")."""
    poll = select.poll()
    pidfd, from_child = os.pidfd_open(child), Link(ours.fileno(), ours.fileno())
    for descriptor in (link.source, ours.fileno(), pidfd):
        poll.register(descriptor, select.POLLIN)
    sent = 0
    try:
        while True:
            ready = [descriptor for descriptor, _ in poll.poll(CHECK_EVERY_MS)]
            if ours.fileno() in ready:
                if from_child.fill():
                    sent += carry(from_child, link)
                else:
                    poll.unregister(ours.fileno())
            elif pidfd in ready:
                return "died"
            if link.source in ready and (over := give(link, ours)):
                return over
            if cpu_time(child) > limits["cpu_s"]:
                return "cpu"
            if time.monotonic() - start > limits["wall_s"]:
                return "wall"
            if sent > limits["output_mib"] << 20:
                return "output"
    except wire.WireError:
        return "protocol"
    finally:
        os.close(pidfd)


def carry(from_child: Link, link: Link) -> int:
    """Pass on the child's whole frames, on its own channel whatever they claim; return their bytes."""
    size = 0
    while (found := from_child.frames.take()) is not None:
        data = wire.HEADER.pack(len(found[1]), wire.VERSION, wire.CANDIDATE) + found[1]
        link.pass_on(data)
        size += len(data)
    return size


def give(link: Link, ours: socket.socket) -> str:
    """Pass on the oracle's frames to the child; "done" when it wants the program ended, "gone" at its end."""
    if not link.fill():
        return "gone"
    while (found := link.frames.take()) is not None:
        if found[0] == wire.KEEPER:
            return "done"
        with suppress(OSError):  # the child is gone; that is seen next
            ours.sendall(wire.HEADER.pack(len(found[1]), wire.VERSION, wire.CANDIDATE) + found[1])
    return ""


def relay_rest(ours: socket.socket, limits: dict[str, Any], link: Link) -> None:
    """Pass on what a child that ended by itself had said before."""
    ours.setblocking(False)
    from_child, sent = Link(ours.fileno(), ours.fileno()), 0
    with suppress(OSError, wire.WireError):
        while sent <= limits["output_mib"] << 20 and from_child.fill():
            sent += carry(from_child, link)


def cpu_time(pid: int) -> float:
    """Return the CPU seconds of all threads of a process (the clock id that clock_getcpuclockid(3) gives)."""
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0


def end(child: int, contained: bool) -> tuple[int, resource.struct_rusage]:
    """Kill the child and every process it left, reap them all, return the child's wait status and usage."""
    with suppress(ProcessLookupError, PermissionError):
        if contained:
            os.kill(-1, signal.SIGKILL)  # as process 1 of a namespace: everything in it
        else:
            os.killpg(child, signal.SIGKILL)
    with suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    _, status, usage = os.wait4(child, 0)
    with suppress(ChildProcessError):
        while True:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:  # some live on, in groups of their own
                kill_orphans(contained)
                time.sleep(0.001)
    return status, usage


def kill_orphans(contained: bool) -> None:
    """Send SIGKILL to what a program left running."""
    for pid in [-1] if contained else children():
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def children() -> list[int]:
    """Return the direct children of this process; orphans of a program become such (child subreaper)."""
    found = []
    for name in filter(str.isdecimal, os.listdir("/proc")):
        with suppress(OSError), open(f"/proc/{name}/stat") as file:
            if int(file.read().rpartition(")")[2].split()[1]) == os.getpid():
                found.append(int(name))
    return found


def run_child(request: Request, setup: dict[str, Any], theirs: socket.socket) -> None:
    """In the fork: confine, run the program, answer calls (or run the tests), end. Never returns."""
    leave, link = os._exit, Link(theirs.fileno(), theirs.fileno())
    try:
        confine(request["limits"], setup, theirs.fileno())
    except (OSError, ValueError) as error:
        link.say(wire.CANDIDATE, ["unconfined", str(error)])
        leave(0)
    try:
        random.seed(0)
        module = types.ModuleType("candidate")
        sys.modules["candidate"] = module
        if "tests" in request:
            link.say(wire.CANDIDATE, ["verdict", request["nonce"], run_shared(request, module.__dict__)])
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
        link.say(wire.CANDIDATE, ["raised", 0, *told(error)])
        return
    link.say(wire.CANDIDATE, ["ready", {name: kind_of(space, name) for name in request["names"]}])
    while (found := link.read()) is not None:
        link.pass_on(answer(wire.parse(found[1]), space))


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
            return wire.frame(wire.CANDIDATE, ["value", number, wire.pack(space[name]), []])
        args, kwargs = wire.unpack(packed[0]), wire.unpack(packed[1])
        before = [wire.pack(value) if mutable(value) else None for value in args]
        value = wire.pack(space[name](*args, **kwargs))
        changed = [
            [place, now]
            for place, old in enumerate(before)
            if old is not None and (now := wire.pack(args[place])) != old
        ]
        return wire.frame(wire.CANDIDATE, ["value", number, value, changed])
    except wire.WireError as error:
        return wire.frame(wire.CANDIDATE, ["unwritable", number, str(error)])
    except BaseException as error:
        return wire.frame(wire.CANDIDATE, ["raised", number, *told(error)])


def mutable(value: Any) -> bool:
    """Return whether a call may change an argument in a way that its caller sees."""
    return not isinstance(value, (int, float, str, bytes, complex, type(None), range))


def told(error: BaseException) -> list[str]:
    """Return an exception as its nearest builtin class, its own class's name and its text."""
    name, own = wire.builtin_error(type(error))
    try:
        text = str(error)[:REASON_LIMIT]
    except BaseException:
        text = ""
    if isinstance(error, MemoryError):
        name = "MemoryError"
    return [name if isinstance(error, Exception) else "", own, text]


def run_shared(request: Request, space: dict[str, Any]) -> Result:
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


def explain(error: BaseException, tests: list[str]) -> Result:
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


if __name__ == "__main__":
    main()
