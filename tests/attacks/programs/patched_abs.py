# WHAT: replaces abs, by which tests measure a distance
# CLASS: verdict
# PROBLEM: float
# EXPECT: wrong
import builtins

builtins.abs = lambda value: 0.0


def add(a, b):
    return 99.0
