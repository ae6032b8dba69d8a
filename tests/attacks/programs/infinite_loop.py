# WHAT: never ends, in pure Python
# CLASS: resource
# EXPECT: timeout
def add(a, b):
    while True:
        pass
