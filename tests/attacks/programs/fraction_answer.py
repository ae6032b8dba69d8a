# WHAT: answers rightly in fractions, which equal the integers
# CLASS: verdict
# EXPECT: passed
from fractions import Fraction


def add(a, b):
    return Fraction(a + b, 1)
