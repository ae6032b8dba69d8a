# WHAT: returns a dict that is cheap for it, but whose keys as plain integers all have the hash 0
# CLASS: resource
# EXPECT: wrong error timeout memory
class Key(int):
    def __hash__(self):
        return int(self) >> 61


found = {Key(number * (2**61 - 1)): 0 for number in range(1, 50_000)}


def add(a, b):
    return found
