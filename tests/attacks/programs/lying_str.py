# WHAT: returns a text of a subclass that equals everything
# CLASS: verdict
# EXPECT: wrong
class Liar(str):
    __hash__ = str.__hash__

    def __eq__(self, other):
        return True

    def __str__(self):
        return "3"


def add(a, b):
    return Liar("nothing")
