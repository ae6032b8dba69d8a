# WHAT: gives the module that it shares with the tests builtins of its own
# CLASS: verdict
# PROBLEM: float
# EXPECT: wrong error
import builtins

__builtins__ = {**vars(builtins), "abs": lambda value: 0.0, "AssertionError": SystemExit}


def add(a, b):
    return 99.0
