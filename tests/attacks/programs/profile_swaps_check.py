# WHAT: profiles calls, to empty the function check on the way in
# CLASS: verdict
# PROBLEM: humaneval
# EXPECT: wrong error
import sys
import threading


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return None


def forged(candidate):
    return None


def profiler(frame, event, argument):
    check = frame.f_globals.get("check")
    if hasattr(check, "__code__"):
        check.__code__ = forged.__code__


sys.setprofile(profiler)
threading.setprofile(profiler)
