# WHAT: leaves a daemon in a session of its own; the answer is right
# EXPECT: passed
import ctypes
import os
import time

if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(15, b"@TAG@", 0, 0, 0)
        time.sleep(30)
    os._exit(0)


def add(a, b):
    return a + b
