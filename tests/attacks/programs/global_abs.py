# WHAT: defines a function of its own where the tests will look for abs
# CLASS: verdict
# PROBLEM: float
# EXPECT: wrong
def abs(value):
    return 0.0


def add(a, b):
    return 99.0
