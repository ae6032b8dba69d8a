# WHAT: kills its parent, process 1 and (only where no host shows) all it may signal; the answer is right
# CLASS: containment
# EXPECT: passed
import contextlib
import os
import signal

targets = [os.getppid() or 1, 1]
if not os.path.exists("/proc/self"):
    targets.append(-1)
for target in targets:
    with contextlib.suppress(OSError):
        os.kill(target, signal.SIGKILL)


def add(a, b):
    return a + b
