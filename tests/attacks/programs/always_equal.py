# WHAT: returns an object that says it equals whatever it is compared with
# CLASS: verdict
# EXPECT: wrong error
class Same:
    __hash__ = object.__hash__

    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False


def add(a, b):
    return Same()
