# WHAT: forks inside the call, if it may, so that two processes answer; only one of them rightly
# CLASS: verdict
# EXPECT: passed wrong error
import os


def add(a, b):
    try:
        twin = os.fork() == 0
    except OSError:
        twin = False
    return None if twin else a + b
