# WHAT: answers the first call rightly and ends the process with status 0 at the second
# CLASS: verdict
# EXPECT: error
import os

calls = 0


def add(a, b):
    global calls
    calls += 1
    if calls == 2:
        os._exit(0)
    return a + b
