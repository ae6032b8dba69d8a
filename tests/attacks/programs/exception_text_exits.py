# WHAT: raises an exception that ends the process with status 0 when its text is asked for
# CLASS: verdict
# EXPECT: error
import os


class Silent(Exception):
    def __str__(self):
        os._exit(0)

    __repr__ = __str__


def add(a, b):
    raise Silent
