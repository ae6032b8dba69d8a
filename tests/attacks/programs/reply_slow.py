# WHAT: sends a frame byte by byte, so that whoever restarts a clock at each byte waits for ever
# CLASS: resource
# EXPECT: timeout error
import contextlib
import os
import struct
import time


def add(a, b):
    for byte in struct.pack("<IBB", 1000, 1, 0) + b" " * 1000:
        for descriptor in range(64):
            with contextlib.suppress(OSError):
                os.write(descriptor, bytes([byte]))
        time.sleep(0.05)
