# WHAT: makes the interpreter itself write a report of its threads into every descriptor
# CLASS: verdict
# EXPECT: error wrong
import contextlib
import faulthandler


def add(a, b):
    for descriptor in range(64):
        with contextlib.suppress(OSError):
            faulthandler.dump_traceback(descriptor)
