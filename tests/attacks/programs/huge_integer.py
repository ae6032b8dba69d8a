# WHAT: returns an integer of 100 million bits
# CLASS: resource
# EXPECT: wrong error timeout memory
def add(a, b):
    return 1 << 100_000_000
