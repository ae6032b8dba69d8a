# WHAT: kills itself as the kernel does when memory runs out
# CLASS: verdict
# EXPECT: error memory
import os
import signal


def add(a, b):
    os.kill(os.getpid(), signal.SIGKILL)
