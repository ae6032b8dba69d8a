# WHAT: moves into the namespaces of its parent and of process 1; answers rightly only if refused
# CLASS: containment
# EXPECT: passed
import contextlib
import ctypes
import os

KINDS = (0x10000000, 0x20000, 0x40000000, 0x20000000, 0x8000000)
libc = ctypes.CDLL(None)
joined = []
for process in {os.getppid(), 1} - {os.getpid()}:
    with contextlib.suppress(OSError):
        handle = os.pidfd_open(process)
        joined += [kind for kind in KINDS if libc.setns(handle, kind) == 0]


def add(a, b):
    return None if joined else a + b
