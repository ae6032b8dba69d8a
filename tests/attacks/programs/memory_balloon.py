# WHAT: allocates until it is refused
# EXPECT: memory
def add(a, b):
    kept = []
    while True:
        kept.append(bytearray(16 << 20))
