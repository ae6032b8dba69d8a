# WHAT: leaves a System V segment, queue and semaphore; right only if no earlier run's are there
# CLASS: containment
# EXPECT: passed
import ctypes

KEY, CREATE = 0x78706174, 0o1600
libc = ctypes.CDLL(None)
found = libc.shmget(KEY, 0, 0) >= 0 or libc.msgget(KEY, 0) >= 0 or libc.semget(KEY, 0, 0) >= 0
libc.shmget(KEY, 4096, CREATE)
libc.msgget(KEY, CREATE)
libc.semget(KEY, 1, CREATE)


def add(a, b):
    return None if found else a + b
