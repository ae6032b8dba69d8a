# WHAT: returns a list nested 100000 deep
# CLASS: resource
# EXPECT: wrong error
def add(a, b):
    found = []
    for _ in range(100_000):
        found = [found]
    return found
