# WHAT: copies its parent's descriptors into itself; answers rightly only if refused
# CLASS: containment
# EXPECT: passed
import contextlib
import ctypes
import os

GETFD = 438
taken = []
with contextlib.suppress(OSError):
    parent = os.pidfd_open(os.getppid())
    libc = ctypes.CDLL(None)
    taken = [number for number in range(64) if libc.syscall(GETFD, parent, number, 0) >= 0]


def add(a, b):
    return None if taken else a + b
