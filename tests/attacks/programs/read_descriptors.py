# WHAT: reads whatever waits in the descriptors that it inherited, and looks for tests in it
# CLASS: verdict
# EXPECT: wrong error timeout
import contextlib
import os
import re

TEST = re.compile(rb"(?:add|candidate)\((-?\d+), (-?\d+)\) == (-?\d+)")
known = {}
for descriptor in range(64):
    with contextlib.suppress(OSError):
        os.set_blocking(descriptor, False)
        try:
            found = TEST.findall(os.read(descriptor, 1 << 20))
            known.update({(int(a), int(b)): int(c) for a, b, c in found})
        finally:
            os.set_blocking(descriptor, True)


def add(a, b):
    return known.get((a, b))
