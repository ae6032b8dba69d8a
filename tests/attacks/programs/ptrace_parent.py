# WHAT: attaches to its parent as a debugger; answers rightly only if refused
# CLASS: containment
# EXPECT: passed
import ctypes
import os

SEIZE = 0x4206
parent = os.getppid()
attached = parent > 0 and ctypes.CDLL(None).ptrace(SEIZE, parent, None, None) == 0


def add(a, b):
    return None if attached else a + b
