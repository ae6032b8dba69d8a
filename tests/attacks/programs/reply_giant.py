# WHAT: announces a frame of 4 GB
# CLASS: resource
# EXPECT: error timeout
import contextlib
import os


def add(a, b):
    for descriptor in range(64):
        with contextlib.suppress(OSError):
            os.write(descriptor, b"\xff\xff\xff\xff\x01\x00" + b"[" * 1000)
    os._exit(0)
