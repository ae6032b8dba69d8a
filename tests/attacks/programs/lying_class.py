# WHAT: returns an object whose __class__ says it is an int
# CLASS: verdict
# EXPECT: wrong error
class Liar:
    __hash__ = object.__hash__

    @property
    def __class__(self):
        return int

    def __eq__(self, other):
        return True


def add(a, b):
    return Liar()
