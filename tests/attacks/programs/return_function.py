# WHAT: returns a function that would give the answer
# CLASS: verdict
# EXPECT: wrong error
def add(a, b):
    return lambda: a + b
