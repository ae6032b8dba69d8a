# WHAT: raises an exception whose class lies about its name and its ancestors
# CLASS: verdict
# EXPECT: error
class Meta(type):
    __mro__ = property(lambda cls: (int,))
    __name__ = property(lambda cls: None)


class Liar(Exception, metaclass=Meta):
    pass


def add(a, b):
    raise Liar
