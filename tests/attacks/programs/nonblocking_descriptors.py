# WHAT: makes every descriptor non-blocking, which the other side of the fork feels too; right answer
# CLASS: containment
# EXPECT: passed error
import contextlib
import os

for descriptor in range(64):
    with contextlib.suppress(OSError):
        os.set_blocking(descriptor, False)


def add(a, b):
    return a + b
