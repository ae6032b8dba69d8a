# WHAT: aborts, as a failed check in C does
# CLASS: resource
# EXPECT: error
import os


def add(a, b):
    os.abort()
