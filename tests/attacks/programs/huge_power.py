# WHAT: computes a number of 800 million digits
# CLASS: resource
# EXPECT: timeout memory
def add(a, b):
    return 7 ** (10**9) % 10
