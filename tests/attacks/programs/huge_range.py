# WHAT: returns a range that is small as an object and endless as a list
# CLASS: resource
# EXPECT: wrong error
def add(a, b):
    return range(10**18)
