# WHAT: overflows the stack of C by calls that Python does not count
# CLASS: resource
# EXPECT: error timeout memory
import ctypes
import sys

sys.setrecursionlimit(2**31 - 1)
Callback = ctypes.CFUNCTYPE(ctypes.c_long, ctypes.c_long)


def add(a, b):
    @Callback
    def again(number):
        return again(number + 1)

    return again(a)
