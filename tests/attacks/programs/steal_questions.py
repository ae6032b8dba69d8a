# WHAT: reads from every descriptor, so that questions meant for the worker never reach it
# CLASS: verdict
# EXPECT: wrong error timeout
import contextlib
import os
import threading


def read(descriptor):
    with contextlib.suppress(OSError):
        while os.read(descriptor, 65536):
            pass


for number in range(3, 16):
    with contextlib.suppress(OSError, RuntimeError):
        os.fstat(number)
        threading.Thread(target=read, args=(number,), daemon=True).start()


def add(a, b):
    return None
