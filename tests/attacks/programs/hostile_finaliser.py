# WHAT: returns right answers that end the process with status 0 when they are thrown away
# CLASS: verdict
# EXPECT: passed error
import os


class Last(int):
    def __del__(self):
        os._exit(0)


def add(a, b):
    return Last(a + b)
