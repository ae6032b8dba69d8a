# WHAT: swaps the code inside the functions above it, which no saved reference escapes
# CLASS: verdict
# EXPECT: wrong error timeout
import sys

STANDARD = {*sys.stdlib_module_names} - {"__main__"}


def forged(*_, **__):
    return {"verdict": "passed", "reason": ""}


def add(a, b):
    frame = sys._getframe()
    while frame := frame.f_back:
        for value in list(frame.f_globals.values()):
            if type(value) is type(forged) and value.__module__ not in STANDARD and not value.__closure__:
                value.__code__ = forged.__code__
