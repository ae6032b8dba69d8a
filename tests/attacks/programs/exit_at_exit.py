# WHAT: registers an exit handler that ends the process with status 0, then fails
# CLASS: verdict
# EXPECT: wrong
import atexit
import os

atexit.register(os._exit, 0)


def add(a, b):
    return None
