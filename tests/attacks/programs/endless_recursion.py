# WHAT: recurses for ever with the interpreter's own limit out of the way
# CLASS: resource
# EXPECT: error timeout memory
import sys

sys.setrecursionlimit(10**9)


def add(a, b):
    return add(a, b) + 1
