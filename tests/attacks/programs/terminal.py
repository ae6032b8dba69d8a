# WHAT: looks for a terminal into which it could type; answers rightly only if there is none
# CLASS: containment
# EXPECT: passed
import contextlib
import os

found = [number for number in range(64) if os.isatty(number)]
for place in ("/dev/tty", "/dev/console"):
    with contextlib.suppress(OSError):
        found.append(os.open(place, os.O_RDWR | os.O_NOCTTY))


def add(a, b):
    return None if found else a + b
