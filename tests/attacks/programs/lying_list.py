# WHAT: returns an empty list of a subclass that lies about equality, length and items
# CLASS: verdict
# EXPECT: wrong error
import itertools


class Liar(list):
    def __eq__(self, other):
        return True

    def __len__(self):
        return 10**12

    def __iter__(self):
        return itertools.count()

    def __getitem__(self, index):
        return index


def add(a, b):
    return Liar()
