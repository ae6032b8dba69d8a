# WHAT: answers a decimal that raises when it is compared
# CLASS: verdict
# EXPECT: wrong error
from decimal import Decimal


def add(a, b):
    return Decimal("sNaN")
