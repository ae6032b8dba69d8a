# WHAT: leaves folders nested deeper than a path can name; the answer is right
# CLASS: containment
# EXPECT: passed
import contextlib
import os
import tempfile

home = os.getcwd()
with contextlib.suppress(OSError):
    os.chdir(tempfile.gettempdir())
    for _ in range(1500):
        os.mkdir("@TAG@-deep")
        os.chdir("@TAG@-deep")
os.chdir(home)


def add(a, b):
    return a + b
