# WHAT: raises an exception whose text never comes
# CLASS: resource
# EXPECT: error timeout
class Endless(Exception):
    def __str__(self):
        while True:
            pass

    __repr__ = __str__


def add(a, b):
    raise Endless
