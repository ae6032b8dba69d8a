# WHAT: returns 99.0 as a float of a subclass whose distance from anything is 0
# CLASS: verdict
# PROBLEM: float
# EXPECT: wrong
class Liar(float):
    def __sub__(self, other):
        return 0.0

    __rsub__ = __sub__

    def __abs__(self):
        return 0.0


def add(a, b):
    return Liar(99.0)
