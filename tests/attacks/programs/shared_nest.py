# WHAT: returns few lists that hold each other so often that written out they are 10**30 items
# CLASS: resource
# EXPECT: wrong error timeout memory
def add(a, b):
    found = [a]
    for _ in range(30):
        found = [found] * 10
    return found
