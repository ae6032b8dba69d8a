# WHAT: returns an empty dict of a subclass that lies about equality, keys and items
# CLASS: verdict
# EXPECT: wrong error
import itertools


class Liar(dict):
    def __eq__(self, other):
        return True

    def __iter__(self):
        return itertools.count()

    keys = __iter__

    def items(self):
        return ((number, self) for number in itertools.count())


def add(a, b):
    return Liar()
