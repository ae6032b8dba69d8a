# WHAT: answers a short decimal that would be a number of 10**18 digits
# CLASS: resource
# EXPECT: wrong error
from decimal import Decimal


def add(a, b):
    return Decimal("1E+999999999999999999")
