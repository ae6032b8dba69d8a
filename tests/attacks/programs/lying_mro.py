# WHAT: returns an object whose class claims, through its metaclass, to descend from int
# CLASS: verdict
# EXPECT: wrong error
class Meta(type):
    __mro__ = property(lambda cls: (int, object))
    __bases__ = property(lambda cls: (int,))


class Liar(metaclass=Meta):
    __hash__ = object.__hash__

    def __eq__(self, other):
        return True


def add(a, b):
    return Liar()
