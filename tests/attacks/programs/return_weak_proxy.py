# WHAT: returns a weak proxy of an object that equals everything
# CLASS: verdict
# EXPECT: wrong error
import weakref


class Same:
    __hash__ = object.__hash__

    def __eq__(self, other):
        return True


kept = Same()


def add(a, b):
    return weakref.proxy(kept)
