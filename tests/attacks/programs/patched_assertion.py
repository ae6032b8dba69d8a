# WHAT: replaces AssertionError and the exceptions near it by SystemExit
# CLASS: verdict
# EXPECT: wrong error
import builtins

builtins.AssertionError = builtins.Exception = builtins.BaseException = SystemExit


def add(a, b):
    return None
