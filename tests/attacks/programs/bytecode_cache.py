# WHAT: tries to open the standard library, its bytecode and the worker for writing; right only if refused
# CLASS: containment
# EXPECT: passed
import contextlib
import sys

opened = []
for module in list(sys.modules.values()):
    for place in ("__file__", "__cached__"):
        with contextlib.suppress(OSError, TypeError), open(getattr(module, place, None), "r+b"):
            opened.append(place)


def add(a, b):
    return None if opened else a + b
