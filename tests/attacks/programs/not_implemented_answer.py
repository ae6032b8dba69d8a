# WHAT: returns the constant by which a comparison says "ask the other side"
# CLASS: verdict
# EXPECT: wrong error
def add(a, b):
    return NotImplemented
