# WHAT: leaves a POSIX message queue; answers rightly only if no earlier run's is there
# CLASS: containment
# EXPECT: passed
import ctypes
import os

libc = ctypes.CDLL("librt.so.1")
found = libc.mq_open(b"/@TAG@", os.O_RDWR) >= 0
libc.mq_open(b"/@TAG@", os.O_RDWR | os.O_CREAT, 0o600, None)


def add(a, b):
    return None if found else a + b
