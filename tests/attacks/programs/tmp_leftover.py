# WHAT: leaves a file in /tmp; answers rightly only if no earlier run's is there
# CLASS: containment
# EXPECT: passed
import contextlib
import os

found = os.path.exists("/tmp/@TAG@-left")
with contextlib.suppress(OSError), open("/tmp/@TAG@-left", "w") as file:
    file.write("was here")


def add(a, b):
    return None if found else a + b
