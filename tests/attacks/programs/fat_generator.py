# WHAT: returns a generator of ever larger texts
# CLASS: resource
# EXPECT: wrong error timeout memory
def add(a, b):
    text = "x"
    while True:
        text += text
        yield text
