# WHAT: returns text that no encoding can carry
# CLASS: resource
# EXPECT: wrong error
def add(a, b):
    return "\ud800\udc00\udfff" + "\ud83d" + chr(0)
