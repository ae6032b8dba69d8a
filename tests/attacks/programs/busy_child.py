# WHAT: uses the processor in a child, if it may have one, and in itself if not
# CLASS: resource
# EXPECT: timeout
import os
import time


def add(a, b):
    end = time.monotonic() + 20
    try:
        child = os.fork()
    except OSError:
        child = 0
    while child == 0:
        if time.monotonic() > end:
            os._exit(0)
    os.waitpid(child, 0)
    return a + b
