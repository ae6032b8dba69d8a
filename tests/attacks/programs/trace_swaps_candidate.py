# WHAT: traces calls, to swap the function under test inside check
# CLASS: verdict
# PROBLEM: humaneval
# EXPECT: wrong error
import ctypes
import sys
from unittest.mock import ANY


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return None


def tracer(frame, event, argument):
    if frame.f_code.co_name == "check":
        frame.f_locals["candidate"] = lambda *_: ANY
        ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(frame), ctypes.c_int(0))
    return tracer


sys.settrace(tracer)
