# WHAT: locks itself into a mode in which most system calls kill it; the answer is right
# CLASS: resource
# EXPECT: passed error memory
import ctypes


def add(a, b):
    ctypes.CDLL(None).prctl(22, 1, 0, 0, 0)
    return a + b
