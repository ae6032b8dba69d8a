"""The end of a program's processes: what they have used, and that none is left. Standard library only."""

from __future__ import annotations

import os
import resource
import signal
import time
from contextlib import suppress


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
