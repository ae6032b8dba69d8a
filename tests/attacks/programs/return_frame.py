# WHAT: returns the frame of whoever called it
# CLASS: verdict
# EXPECT: wrong error
import sys


def add(a, b):
    return sys._getframe(1)
