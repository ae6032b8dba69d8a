# WHAT: changes the interpreter's one object 3 so that it has the value 7, and answers 7
# CLASS: verdict
# EXPECT: wrong error timeout
import ctypes


def add(a, b):
    if a + b:
        ctypes.c_uint32.from_address(id(1 + 2) + 24).value = 7
        return int("7")
    return 0
