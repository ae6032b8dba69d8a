# WHAT: allocates until it is refused
# CLASS: resource
# EXPECT: memory timeout
def add(a, b):
    kept = []
    while True:
        kept.append(bytearray(16 << 20))
