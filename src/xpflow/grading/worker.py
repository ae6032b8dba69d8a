"""The jailed side: a fork server ("keeper") that runs one untrusted program at a time. Standard library only.

It runs as its own process, inside a jail where there is one, and imports nothing of xpflow but the files that
its payload lists (`jails/base.py`): it is started by path. Messages are frames (`frames.py`) on stdin and
stdout, from and to the oracle. Each program gets a fresh fork (`child.py`); what it leaves running is killed
before the keeper says how it ended.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import resource
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from xpflow.grading import seccomp
    from xpflow.grading.child import run_child
    from xpflow.grading.frames import KEEPER, Link, WireError, carry, give, parse, relay_rest
else:
    import seccomp
    from child import run_child
    from frames import KEEPER, Link, WireError, carry, give, parse, relay_rest

# Imported before the forks, so that programs get them at once.
PRELOADED = (
    "typing re collections itertools functools heapq bisect string copy operator datetime decimal fractions "
    "hashlib statistics cmath array enum dataclasses"
)
CHECK_EVERY_MS = 20
PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER = 4, 36
Request = dict[str, Any]
Result = dict[str, Any]


def main() -> None:
    """Serve programs until stdin ends; argv[1] is JSON: uid (or null), contained, folder."""
    setup = json.loads(sys.argv[1])
    prepare(setup)
    link = Link(0, 1)
    link.say(KEEPER, {"ready": sys.version.split()[0]})
    parts: list[str] = []  # of a program that is too long for one message
    while (found := link.read()) is not None:
        channel, body = found
        request = parse(body)
        if channel == KEEPER and "part" in request:
            parts.append(request["part"])
        if channel == KEEPER and "program" in request:  # else left over from a program that has ended
            request["program"] = "".join([*parts, request["program"]])
            parts.clear()
            result = serve(request, setup, link)
            result["spent"] = not is_empty(setup["folder"])  # files were left: do not use this jail again
            link.say(KEEPER, {"ended": result})


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
    for name in PRELOADED.split():
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
    """Carry frames between the oracle and the child, and return why that came to an end.

    The oracle said that it is done ("done") or is gone ("gone"); the child ended ("died"), hit a limit
    ("cpu", "wall", "output") or broke the format ("protocol").
    """
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
    except WireError:
        return "protocol"
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
        with suppress(OSError), open(f"/proc/{name}/stat", errors="replace") as file:
            if int(file.read().rpartition(")")[2].split()[1]) == os.getpid():
                found.append(int(name))
    return found


if __name__ == "__main__":
    main()
