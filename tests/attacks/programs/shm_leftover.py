# WHAT: leaves a file in shared memory; answers rightly only if no earlier run's is there
# CLASS: containment
# EXPECT: passed
import contextlib
import os

found = os.path.exists("/dev/shm/@TAG@")
with contextlib.suppress(OSError), open("/dev/shm/@TAG@", "w") as file:
    file.write("was here")


def add(a, b):
    return None if found else a + b
