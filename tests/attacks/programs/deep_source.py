# WHAT: an expression nested too deeply for a parser (made at run time)
# CLASS: resource
# EXPECT: error memory
eval("-" * 1_000_000 + "1")


def add(a, b):
    return a + b
