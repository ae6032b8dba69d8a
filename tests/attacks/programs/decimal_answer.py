# WHAT: answers rightly in decimal numbers, which equal the integers
# CLASS: verdict
# EXPECT: passed
from decimal import Decimal


def add(a, b):
    return Decimal(a) + Decimal(b)
