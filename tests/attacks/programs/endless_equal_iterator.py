# WHAT: returns an iterator that equals everything and ends the process when it is read
# CLASS: verdict
# EXPECT: wrong error
import os


class Reader:
    __hash__ = object.__hash__

    def __eq__(self, other):
        return True

    def __iter__(self):
        return self

    def __next__(self):
        os._exit(0)


def add(a, b):
    return Reader()
