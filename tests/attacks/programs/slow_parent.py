# WHAT: lowers its parent's priority and sets its processors; answers rightly only if refused
# CLASS: containment
# EXPECT: passed
import contextlib
import os

parent, reached = os.getppid(), []
if parent > 0:
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, parent, os.getpriority(os.PRIO_PROCESS, parent) + 1)
        reached.append("priority")
    with contextlib.suppress(OSError):
        os.sched_setaffinity(parent, os.sched_getaffinity(parent))
        reached.append("processors")


def add(a, b):
    return None if reached else a + b
