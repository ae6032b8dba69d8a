# WHAT: makes os._exit and sys.exit do nothing, so that its process runs on as a second server
# CLASS: containment
# EXPECT: passed error
import os
import posix
import sys

os._exit = posix._exit = sys.exit = lambda *_: None


def add(a, b):
    return a + b
