# WHAT: leaves a named semaphore; answers rightly only if no earlier run's is there
# CLASS: containment
# EXPECT: passed
import ctypes
import os

found = os.path.exists("/dev/shm/sem.@TAG@")
ctypes.CDLL(None).sem_open(b"/@TAG@", os.O_CREAT, 0o600, 1)


def add(a, b):
    return None if found else a + b
