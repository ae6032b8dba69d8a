# WHAT: leaves a daemon in a session of its own, if it may fork at all; the answer is right
# CLASS: containment
# EXPECT: passed
import ctypes
import os
import time


def fork():
    try:
        return os.fork()
    except OSError:
        return None


if fork() == 0:
    os.setsid()
    if fork() == 0:
        ctypes.CDLL(None).prctl(15, b"@TAG@", 0, 0, 0)
        time.sleep(30)
    os._exit(0)


def add(a, b):
    return a + b
