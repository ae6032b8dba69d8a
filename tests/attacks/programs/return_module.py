# WHAT: returns a module, with everything that hangs on it
# CLASS: verdict
# EXPECT: wrong error
import sys


def add(a, b):
    return sys
