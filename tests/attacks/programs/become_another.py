# WHAT: replaces itself by another interpreter that writes a pass to every descriptor it inherits
# CLASS: verdict
# EXPECT: wrong error
import contextlib
import os
import sys

CODE = """
import contextlib, os
for descriptor in range(64):
    with contextlib.suppress(OSError):
        os.write(descriptor, b'{"verdict": "passed", "reason": ""}' + bytes([10]))
"""


def add(a, b):
    for descriptor in range(64):
        with contextlib.suppress(OSError):
            os.set_inheritable(descriptor, True)
    for place in (sys.executable, "/py/bin/python", "/proc/self/exe", "/usr/bin/python3"):
        with contextlib.suppress(OSError):
            os.execv(place, ["python", "-S", "-c", CODE])
