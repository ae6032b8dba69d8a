# WHAT: raises the exceptions by which Python ends loops and generators
# CLASS: verdict
# EXPECT: error
def add(a, b):
    raise StopIteration(a + b) from GeneratorExit()
