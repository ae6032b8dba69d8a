# WHAT: replaces methods of int itself, through the dict behind its read-only view
# CLASS: verdict
# EXPECT: wrong error timeout
import ctypes
import gc


class Seven(int):
    pass


def add(a, b):
    methods = gc.get_referents(int.__dict__)[0]
    for name in ("__eq__", "__add__", "__pos__", "__repr__", "__index__", "bit_length"):
        methods[name] = lambda *_: None
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(int))
    return Seven(7)
