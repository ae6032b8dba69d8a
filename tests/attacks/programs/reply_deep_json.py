# WHAT: sends JSON nested deeper than any parser that recurses can follow
# CLASS: resource
# EXPECT: error timeout
import contextlib
import os
import struct


def add(a, b):
    data = b'["list",' * 100_000
    for descriptor in range(64):
        with contextlib.suppress(OSError):
            whole = struct.pack("<IBB", len(data), 1, 0) + data
            while whole:
                whole = whole[os.write(descriptor, whole) :]
    os._exit(0)
