# WHAT: walks the frames above it and writes a pass into every variable that could hold a verdict
# CLASS: verdict
# EXPECT: wrong error timeout
import ctypes
import sys

NAMES = ("result", "verdict", "outcome", "reply", "status", "passed", "ok")


def add(a, b):
    frame = sys._getframe()
    while frame := frame.f_back:
        for name, value in list(frame.f_locals.items()):
            if hasattr(value, "append"):
                value.append("passed")
            elif type(value) is dict and "verdict" in value:
                value["verdict"] = "passed"
            elif name in NAMES:
                frame.f_locals[name] = {"verdict": "passed", "reason": ""}
        ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(frame), ctypes.c_int(0))
