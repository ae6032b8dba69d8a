# WHAT: forks until it is refused (bounded here); answers rightly only if it was refused early
# CLASS: resource
# EXPECT: passed
import ctypes
import os
import time

libc = ctypes.CDLL(None)
forked = 0
for _ in range(300):
    try:
        child = os.fork()
    except OSError:
        break
    if child == 0:
        libc.prctl(15, b"@TAG@", 0, 0, 0)
        time.sleep(30)
        os._exit(0)
    forked += 1


def add(a, b):
    return a + b if forked < 64 else None
