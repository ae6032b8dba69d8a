# WHAT: reads the expected number from the constants of the code that called it
# CLASS: verdict
# EXPECT: wrong error
import sys


def add(a, b):
    constants = sys._getframe(1).f_code.co_consts
    return [None, *(value for value in constants if type(value) is int)][-1]
