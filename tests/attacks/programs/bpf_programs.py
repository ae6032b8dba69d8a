# WHAT: asks the kernel for the filters that others have loaded; answers rightly only if refused
# CLASS: containment
# EXPECT: passed
import ctypes

BPF, NEXT_PROGRAM, NEXT_MAP = 321, 11, 12
libc = ctypes.CDLL(None)
seen = [kind for kind in (NEXT_PROGRAM, NEXT_MAP) if libc.syscall(BPF, kind, bytes(16), 12) == 0]


def add(a, b):
    return None if seen else a + b
