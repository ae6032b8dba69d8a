# WHAT: sends well-formed frames for as long as they are taken
# CLASS: resource
# EXPECT: error timeout memory
import contextlib
import os
import struct

FRAME = struct.pack("<IBB", 60_000, 1, 0) + b" " * 59_998 + b"[]"


def add(a, b):
    while True:
        for descriptor in range(64):
            with contextlib.suppress(OSError):
                os.write(descriptor, FRAME)
