# WHAT: ends the process with status 0 inside the call
# CLASS: verdict
# EXPECT: error
import os


def add(a, b):
    os._exit(0)
