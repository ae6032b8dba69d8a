# WHAT: returns a list of five million numbers
# CLASS: resource
# EXPECT: wrong error timeout memory
def add(a, b):
    return [a] * 5_000_000
