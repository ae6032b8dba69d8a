# WHAT: writes a pass into every list, dict and list proxy that the garbage collector knows
# CLASS: verdict
# EXPECT: wrong error timeout memory
import contextlib
import gc
import os


def add(a, b):
    for thing in gc.get_objects():
        with contextlib.suppress(Exception):
            if type(thing) is dict and "verdict" in thing:
                thing["verdict"] = "passed"
            elif type(thing) is list and not thing:
                thing.append("passed")
            elif type(thing).__name__ == "ListProxy":
                thing.append("passed")
                os._exit(0)
