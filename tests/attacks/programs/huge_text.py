# WHAT: returns a text of 50 MB that grows when it is quoted
# CLASS: resource
# EXPECT: wrong error timeout memory
def add(a, b):
    return "\0" * 50_000_000
