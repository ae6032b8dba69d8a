# WHAT: returns a generator that ends the interpreter midway
# CLASS: verdict
# EXPECT: wrong error
def add(a, b):
    yield a + b
    raise SystemExit(0)
