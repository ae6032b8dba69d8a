# WHAT: sends itself the signal of a CPU limit that it is far from
# CLASS: verdict
# EXPECT: timeout error
import os
import signal


def add(a, b):
    os.kill(os.getpid(), signal.SIGXCPU)
