# WHAT: a source of 5 MB (made at run time); the answer is right where it fits
# CLASS: resource
# EXPECT: passed error timeout memory
exec("x = 1\n" * 800_000)


def add(a, b):
    return a + b
