# WHAT: returns an object whose class ends the process when asked for its name
# CLASS: verdict
# EXPECT: wrong error
class Meta(type):
    @property
    def __name__(cls):
        raise SystemExit(0)


class Nameless(metaclass=Meta):
    pass


def add(a, b):
    return Nameless()
