# WHAT: kills its parent, process 1, its group and everything else it may signal; the answer is right
# EXPECT: passed
import contextlib
import os
import signal

for target in (os.getppid(), 1, -1):
    with contextlib.suppress(OSError):
        os.kill(target, signal.SIGKILL)


def add(a, b):
    return a + b
