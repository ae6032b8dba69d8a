# WHAT: sets the interpreter's flag under which asserts are not compiled, and patches the compiler to match
# CLASS: verdict
# EXPECT: wrong error
import builtins
import ctypes
import functools

ctypes.c_int.in_dll(ctypes.pythonapi, "Py_OptimizeFlag").value = 2
builtins.compile = functools.partial(compile, optimize=2)


def add(a, b):
    return None
