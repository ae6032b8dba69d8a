# WHAT: makes a process that is its parent's child and not its own; the answer is right
# CLASS: containment
# EXPECT: passed
import ctypes
import os
import signal

CLONE, CLONE_PARENT = 56, 0x8000
libc = ctypes.PyDLL(None)
if os.uname().machine == "x86_64" and libc.syscall(CLONE, CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0) == 0:
    libc.prctl(15, b"@TAG@", 0, 0, 0)
    libc.setsid()
    libc.sleep(20)
    libc._exit(0)


def add(a, b):
    return a + b
