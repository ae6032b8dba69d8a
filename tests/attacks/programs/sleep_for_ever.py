# WHAT: waits without using the CPU, and ignores what it may
# CLASS: resource
# EXPECT: timeout
import contextlib
import signal
import time

for number in range(1, 32):
    with contextlib.suppress(OSError, ValueError):
        signal.signal(number, signal.SIG_IGN)


def add(a, b):
    while True:
        with contextlib.suppress(BaseException):
            time.sleep(60)
