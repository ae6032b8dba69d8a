# WHAT: leaves no stack for the code that runs after it; the answer is right
# CLASS: resource
# EXPECT: passed error
import contextlib
import sys


def add(a, b):
    for limit in range(5, 40):
        with contextlib.suppress(RecursionError):
            sys.setrecursionlimit(limit)
            break
    return a + b
