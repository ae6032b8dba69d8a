"""The jailed side: a fork server that runs one untrusted program at a time. Standard library only.

It runs as its own process, inside a jail where there is one, and imports nothing of xpflow: the file is
started by path. Requests and replies are frames (4 bytes little-endian length, JSON) on stdin and stdout.
Each program gets a fresh fork with limits set; whatever the program leaves running is killed before the
reply is sent.

What it does not cover: program and tests share one interpreter, so a program that hunts for the verdict's
nonce in its own process can forge a pass. A program that merely prints, exits, crashes, hangs, forks or
kills cannot.
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
import struct
import sys
import time
import types
from contextlib import suppress
from typing import Any

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
REPLY_LIMIT = 65536
REASON_LIMIT = 300
CHECK_EVERY_MS = 20
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER = 1, 4, 36
Request = dict[str, Any]
Result = dict[str, Any]


def main() -> None:
    """Serve requests until stdin ends; argv[1] is JSON: uid (or null), contained, folder."""
    setup = json.loads(sys.argv[1])
    prepare(setup)
    send({"ready": sys.version.split()[0]})
    while (request := receive()) is not None:
        result = serve(request, setup)
        result["spent"] = bool(os.listdir(setup["folder"]))  # files were left: do not use this jail again
        send(result)


def prepare(setup: dict[str, Any]) -> None:
    """Make this process hard to reach for the programs, and import what they often need."""
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)  # no ptrace, no /proc/PID/mem
    if not setup["contained"]:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        setup["uid"] = usable_user(setup["uid"], setup["folder"])
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.chdir(setup["folder"])
    for name in PRELOADED:
        __import__(name)
    gc.collect()
    gc.freeze()


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


def send(message: dict[str, Any]) -> None:
    """Write one frame to stdout."""
    data = json.dumps(message).encode()
    data = struct.pack("<I", len(data)) + data
    while data:
        data = data[os.write(1, data) :]


def receive() -> Request | None:
    """Read one frame from stdin; None at its end."""
    header = read_exactly(4)
    if header is None:
        return None
    body = read_exactly(struct.unpack("<I", header)[0])
    return None if body is None else json.loads(body)


def read_exactly(size: int) -> bytes | None:
    """Read `size` bytes from stdin, or None when it ends before."""
    data = b""
    while len(data) < size:
        part = os.read(0, min(size - len(data), 1 << 20))
        if not part:
            return None
        data += part
    return data


def serve(request: Request, setup: dict[str, Any]) -> Result:
    """Fork, run the program, kill what is left of it, and say how it ended."""
    reader, writer = os.pipe()
    start = time.monotonic()
    try:
        child = os.fork()
    except OSError as error:
        os.close(reader)
        os.close(writer)
        return {"verdict": "infrastructure", "reason": f"cannot fork: {error}"}
    if child == 0:
        run_child(request, setup, reader, writer)
    os.close(writer)
    reply, stopped = watch(child, reader, request, start)
    wall_s = time.monotonic() - start
    os.close(reader)
    status, usage = end(child, setup["contained"])
    result = judge(request, reply, stopped, status, usage)
    return {**result, "time_s": wall_s, "memory_mib": usage.ru_maxrss / 1024}


def watch(child: int, reader: int, request: Request, start: float) -> tuple[bytes, str]:
    """Wait for the child's reply line, its end or a limit; return the bytes read and the limit hit."""
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    pidfd = os.pidfd_open(child)
    poll.register(pidfd, select.POLLIN)
    reply = b""
    try:
        while True:
            ready = [fd for fd, _ in poll.poll(CHECK_EVERY_MS)]
            if reader in ready:
                part = os.read(reader, REPLY_LIMIT)
                reply += part
                if b"\n" in part or len(reply) >= REPLY_LIMIT:
                    return reply, ""
                if not part:
                    poll.unregister(reader)
            elif pidfd in ready:
                return reply, ""
            if cpu_time(child) > request["limits"]["cpu_s"]:
                return reply, "cpu"
            if time.monotonic() - start > request["limits"]["wall_s"]:
                return reply, "wall"
    finally:
        os.close(pidfd)


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


def judge(request: Request, reply: bytes, stopped: str, status: int, usage: resource.struct_rusage) -> Result:
    """Turn what was seen into a verdict; only a reply that carries the request's nonce can be a pass."""
    told = parse_reply(reply, request["nonce"])
    if told is not None:
        return told
    if stopped:
        return {
            "verdict": "timeout",
            "reason": f"over its {stopped} limit of {request['limits'][stopped + '_s']:g} s",
        }
    if reply:
        return {"verdict": "error", "reason": "wrote to the grader's own channel"}
    if not os.WIFSIGNALED(status):
        code = os.waitstatus_to_exitcode(status)
        return {"verdict": "error", "reason": f"ended before its tests were over (exit status {code})"}
    number = os.WTERMSIG(status)
    if number == signal.SIGXCPU or usage.ru_utime + usage.ru_stime > request["limits"]["cpu_s"]:
        return {"verdict": "timeout", "reason": f"over its cpu limit of {request['limits']['cpu_s']:g} s"}
    if number == signal.SIGKILL:  # itself, or the kernel for want of memory: the caller tries again
        return {"verdict": "error", "reason": "killed (SIGKILL)", "killed": True}
    return {"verdict": "error", "reason": f"crashed ({signal.Signals(number).name})"}


def parse_reply(reply: bytes, nonce: str) -> Result | None:
    """Return the child's own result if the reply is one line of JSON with the nonce, else None."""
    try:
        told = json.loads(reply)
        if told.pop("nonce") == nonce and set(told) == {"verdict", "reason"}:
            return dict(told)
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError):
        pass
    return None


def run_child(request: Request, setup: dict[str, Any], reader: int, writer: int) -> None:
    """In the fork: confine, run program and tests, report once, end. Never returns."""
    write, leave, dumps, nonce = os.write, os._exit, json.dumps, request["nonce"]
    try:
        confine(request["limits"], setup, writer)
    except (OSError, ValueError) as error:
        result = {"verdict": "infrastructure", "reason": f"cannot set the limits: {error}"}
    else:
        result = run_program(request)
    write(writer, dumps({"nonce": nonce, **result}).encode() + b"\n")
    leave(0)


def confine(limits: dict[str, Any], setup: dict[str, Any], writer: int) -> None:
    """Leave the session, close all descriptors but the reply pipe, set the limits, become the jail's user."""
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.closerange(3, writer)
    os.closerange(writer + 1, 1024)
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


def run_program(request: Request) -> Result:
    """Execute the program, the setup code and the tests, in this order, in one fresh module."""
    random.seed(0)
    module = types.ModuleType("candidate")
    sys.modules["candidate"] = module
    space = module.__dict__
    try:
        execute(request["program"], "<program>", space)
        execute(request["setup"], "<setup>", space)
        for number, test in enumerate(request["tests"], start=1):
            execute(test, f"<test {number}>", space)
        if request["check"]:
            entry_point = request["check"]
            if entry_point not in space:
                return {"verdict": "error", "reason": f"the program defines no {entry_point!r}"}
            space["check"](space[entry_point])
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
