# WHAT: returns a view of its memory
# CLASS: verdict
# EXPECT: wrong error
def add(a, b):
    return memoryview(bytearray([a + b & 255]))
