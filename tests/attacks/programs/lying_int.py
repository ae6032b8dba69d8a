# WHAT: returns 7 as an int of a subclass that equals everything
# CLASS: verdict
# EXPECT: wrong
class Liar(int):
    __hash__ = int.__hash__

    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False


def add(a, b):
    return Liar(7)
