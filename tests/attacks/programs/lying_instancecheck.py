# WHAT: puts a class of which everything is an instance in the place of int, str and list
# CLASS: verdict
# EXPECT: wrong error
import builtins


class Meta(type):
    def __instancecheck__(cls, instance):
        return True

    def __subclasscheck__(cls, subclass):
        return True


class Anything(metaclass=Meta):
    __hash__ = object.__hash__

    def __eq__(self, other):
        return True


builtins.int = builtins.str = builtins.list = Anything


def add(a, b):
    return Anything()
