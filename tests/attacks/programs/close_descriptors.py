# WHAT: closes every descriptor, its only way to answer among them
# CLASS: resource
# EXPECT: error timeout
import os


def add(a, b):
    os.closerange(0, 1024)
    return a + b
