# WHAT: announces a frame of 100 bytes, sends ten of them and waits for ever
# CLASS: resource
# EXPECT: timeout error
import contextlib
import os
import struct
import time


def add(a, b):
    for descriptor in range(64):
        with contextlib.suppress(OSError):
            os.write(descriptor, struct.pack("<IBB", 100, 1, 0) + b'{"verdict"')
    time.sleep(3600)
