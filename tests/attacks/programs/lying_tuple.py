# WHAT: returns an empty tuple of a subclass that equals everything and has no end
# CLASS: verdict
# EXPECT: wrong error
import itertools


class Liar(tuple):
    __slots__ = ()
    __hash__ = tuple.__hash__

    def __eq__(self, other):
        return True

    def __iter__(self):
        return itertools.repeat(self)


def add(a, b):
    return Liar()
