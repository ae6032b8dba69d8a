# WHAT: returns an object that is near every number: arithmetic gives itself, every comparison is true
# CLASS: verdict
# PROBLEM: float
# EXPECT: wrong error
class Near:
    __hash__ = object.__hash__

    def itself(self, *_):
        return self

    def true(self, _):
        return True

    __sub__ = __rsub__ = __abs__ = __round__ = itself
    __lt__ = __le__ = __gt__ = __ge__ = __eq__ = true


def add(a, b):
    return Near()
