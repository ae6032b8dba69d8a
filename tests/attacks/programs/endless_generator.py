# WHAT: returns a generator without end
# CLASS: resource
# EXPECT: wrong error timeout memory
def add(a, b):
    while True:
        yield a + b
