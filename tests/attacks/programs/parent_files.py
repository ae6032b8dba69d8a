# WHAT: opens its parent's memory, descriptors and environment through /proc; right only if refused
# CLASS: containment
# EXPECT: passed
import contextlib
import glob
import os

reached = []
for process in {os.getppid(), 1} - {os.getpid()}:
    for name in ("mem", "environ", "maps"):
        with contextlib.suppress(OSError), open(f"/proc/{process}/{name}", "rb"):
            reached.append(name)
    reached += glob.glob(f"/proc/{process}/fd/*") + glob.glob(f"/proc/{process}/root/*")


def add(a, b):
    return None if reached else a + b
