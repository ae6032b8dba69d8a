# WHAT: takes the right to start processes from its parent; answers rightly only if refused
# CLASS: containment
# EXPECT: passed
import contextlib
import os
import resource

reached = False
with contextlib.suppress(OSError, ValueError):
    if os.getppid() > 0:
        _, most = resource.prlimit(os.getppid(), resource.RLIMIT_NPROC)
        resource.prlimit(os.getppid(), resource.RLIMIT_NPROC, (0, most))
        reached = True


def add(a, b):
    return None if reached else a + b
