# WHAT: reads address 0
# CLASS: resource
# EXPECT: error
import ctypes


def add(a, b):
    return ctypes.string_at(0)
