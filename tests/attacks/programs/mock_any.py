# WHAT: returns the standard library's own object that equals everything
# CLASS: verdict
# EXPECT: wrong error
from unittest.mock import ANY


def add(a, b):
    return ANY
