# WHAT: never ends, in pure Python
# EXPECT: timeout
def add(a, b):
    while True:
        pass
