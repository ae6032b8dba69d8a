# WHAT: returns a list that grows by one item whenever the class of an item is looked at
# CLASS: resource
# EXPECT: wrong error timeout memory
class Meta(type):
    @property
    def __mro__(cls):
        grown.append(Item())
        return cls, object


class Item(metaclass=Meta):
    pass


grown = []


def add(a, b):
    grown.append(Item())
    return grown
