# WHAT: returns an object that converts to the right number but is none
# CLASS: verdict
# EXPECT: wrong error
class Number:
    def __init__(self, value):
        self.value = value

    def __index__(self):
        return self.value

    __int__ = __trunc__ = __index__

    def __repr__(self):
        return repr(self.value)


def add(a, b):
    return Number(a + b)
