# WHAT: stops its parent, which then neither ends nor answers; the answer is right
# CLASS: containment
# EXPECT: passed
import contextlib
import os
import signal

with contextlib.suppress(OSError):
    if os.getppid() > 0:
        os.kill(os.getppid(), signal.SIGSTOP)


def add(a, b):
    return a + b
