# WHAT: returns a pointer to address 0, which crashes whoever follows it
# CLASS: verdict
# EXPECT: wrong error
import ctypes


def add(a, b):
    return ctypes.cast(0, ctypes.POINTER(ctypes.c_long))
