# WHAT: leaves five thousand files; the answer is right
# CLASS: resource
# EXPECT: passed
import contextlib
import os
import tempfile

folder = os.path.join(tempfile.gettempdir(), "@TAG@-many")
with contextlib.suppress(OSError):
    os.mkdir(folder)
    for number in range(5000):
        os.close(os.open(f"{folder}/{number}", os.O_CREAT | os.O_WRONLY))


def add(a, b):
    return a + b
