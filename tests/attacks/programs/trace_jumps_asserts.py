# WHAT: answers only the last test rightly, and traces check to jump over all lines before it
# CLASS: verdict
# PROBLEM: humaneval
# EXPECT: wrong error
import contextlib
import sys


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return 0


def tracer(frame, event, argument):
    if frame.f_code.co_name == "check" and event == "line":
        last = max(line for _, _, line in frame.f_code.co_lines() if line)
        if frame.f_lineno < last:
            with contextlib.suppress(ValueError):
                frame.f_lineno = last
    return tracer


sys.settrace(tracer)
