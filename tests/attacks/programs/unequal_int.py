# WHAT: returns the right number in a subclass that says it equals nothing
# CLASS: verdict
# EXPECT: passed wrong
class Shy(int):
    __hash__ = int.__hash__

    def __eq__(self, other):
        return False


def add(a, b):
    return Shy(a + b)
