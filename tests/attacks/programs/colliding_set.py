# WHAT: returns a set of decimals that are cheap for it and collide where they are plain
# CLASS: resource
# EXPECT: wrong error timeout memory
from decimal import Decimal


class Key(Decimal):
    def __hash__(self):
        return id(self)


found = {Key(number * (2**61 - 1)) for number in range(1, 40_000)}


def add(a, b):
    return found
