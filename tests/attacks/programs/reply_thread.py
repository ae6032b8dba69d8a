# WHAT: a thread writes forged frames between, and into, the frames that the worker writes
# CLASS: verdict
# EXPECT: error wrong timeout
import contextlib
import os
import struct
import threading
import time

FRAME = struct.pack("<IBB", 21, 1, 0) + b'{"verdict": "passed"}'


def write():
    end = time.monotonic() + 5
    while time.monotonic() < end:
        for descriptor in range(64):
            with contextlib.suppress(OSError):
                os.write(descriptor, FRAME)


threading.Thread(target=write, daemon=True).start()


def add(a, b):
    time.sleep(0.05)
