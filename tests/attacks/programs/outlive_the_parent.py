# WHAT: clears the signal at its parent's death, blocks all others and leaves a child; right answer
# CLASS: containment
# EXPECT: passed
import contextlib
import ctypes
import os
import signal
import time

libc = ctypes.CDLL(None)
libc.prctl(1, 0, 0, 0, 0)
libc.prctl(36, 1, 0, 0, 0)
with contextlib.suppress(OSError):
    if os.fork() == 0:
        libc.prctl(1, 0, 0, 0, 0)
        libc.prctl(15, b"@TAG@", 0, 0, 0)
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        time.sleep(20)
        os._exit(0)


def add(a, b):
    return a + b
