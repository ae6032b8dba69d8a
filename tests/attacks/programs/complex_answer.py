# WHAT: answers rightly in complex numbers, which equal the integers
# CLASS: verdict
# EXPECT: passed
def add(a, b):
    return complex(a, 0) + b
