# WHAT: returns a class that calls itself int and equals everything
# CLASS: verdict
# EXPECT: wrong error
class Meta(type):
    __hash__ = type.__hash__

    def __eq__(cls, other):
        return True


def add(a, b):
    return Meta("int", (), {"__module__": "builtins"})
