# WHAT: defines check before the tests do, and a thread that defines it again and again after them
# CLASS: verdict
# PROBLEM: humaneval
# EXPECT: wrong error timeout
import sys
import threading
import time


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return None


def check(candidate):
    return None


def repeat(space=globals(), forged=check):  # noqa: B008
    end = time.monotonic() + 5
    while time.monotonic() < end:
        space["check"] = forged
        time.sleep(0)


sys.setswitchinterval(1e-6)
threading.Thread(target=repeat, daemon=True).start()
