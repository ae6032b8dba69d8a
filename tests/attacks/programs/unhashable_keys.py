# WHAT: returns a dict and a set whose members cannot be hashed where they are plain
# CLASS: resource
# EXPECT: wrong error
class Key(list):
    def __hash__(self):
        return 1


def add(a, b):
    return {Key(): {Key()}}
