# WHAT: makes a file of one terabyte without writing it; answers rightly only if refused
# CLASS: resource
# EXPECT: passed
import contextlib
import os
import tempfile

made = False
with contextlib.suppress(OSError), tempfile.TemporaryFile() as file:
    os.truncate(file.fileno(), 1 << 40)
    made = True


def add(a, b):
    return None if made else a + b
