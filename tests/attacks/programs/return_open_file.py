# WHAT: returns an open file, whose lines never end
# CLASS: verdict
# EXPECT: wrong error timeout memory
def add(a, b):
    return open("/dev/zero", "rb")
