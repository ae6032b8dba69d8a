# WHAT: returns an object that ends the process when it is shown
# CLASS: verdict
# EXPECT: wrong error
class Unseen:
    def __repr__(self):
        raise SystemExit(0)

    __str__ = __repr__

    def __format__(self, spec):
        raise KeyboardInterrupt


def add(a, b):
    return Unseen()
