# WHAT: returns an object of a class that never answers a question about itself
# CLASS: resource
# EXPECT: wrong error timeout
class Meta(type):
    def __getattribute__(cls, name):
        while True:
            pass


class Silent(metaclass=Meta):
    pass


def add(a, b):
    return Silent()
