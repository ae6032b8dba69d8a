# WHAT: returns an integer too long to be written in decimal digits by default
# CLASS: resource
# EXPECT: wrong error
def add(a, b):
    return 1 << 1_000_000
