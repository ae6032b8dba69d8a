# WHAT: raises a real AssertionError of its own, outside any test
# CLASS: verdict
# EXPECT: wrong error
def add(a, b):
    raise AssertionError("passed")
