# WHAT: returns a generator that never gives its first item
# CLASS: resource
# EXPECT: wrong error timeout
def add(a, b):
    while True:
        pass
    yield a + b
