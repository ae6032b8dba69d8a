# WHAT: takes all rights from its private directory, so that nobody can list it; the answer is right
# CLASS: containment
# EXPECT: passed
import contextlib
import os

if os.environ.get("TMPDIR") == os.environ.get("HOME") == os.getcwd():
    with contextlib.suppress(OSError):
        os.chmod(".", 0)


def add(a, b):
    return a + b
