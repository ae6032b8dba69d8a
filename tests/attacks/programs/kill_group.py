# WHAT: signals its own process group and its parent's, and ignores it itself; the answer is right
# CLASS: containment
# EXPECT: passed
import contextlib
import os
import signal

for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
    signal.signal(number, signal.SIG_IGN)
    for process in (os.getpid(), os.getppid()):
        with contextlib.suppress(OSError):
            os.killpg(os.getpgid(process), number)


def add(a, b):
    return a + b
