# WHAT: stops its own process, which then neither ends nor runs
# CLASS: resource
# EXPECT: timeout
import os
import signal


def add(a, b):
    os.kill(os.getpid(), signal.SIGSTOP)
    return a + b
