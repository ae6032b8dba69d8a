# WHAT: answers rightly with members of an integer enumeration
# CLASS: verdict
# EXPECT: passed
import enum

Sum = enum.IntEnum("Sum", {"ZERO": 0, "THREE": 3})


def add(a, b):
    return Sum(a + b)
