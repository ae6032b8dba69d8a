# WHAT: writes 200 MB on standard output and error; the answer is right
# CLASS: resource
# EXPECT: passed
import os

for _ in range(100):
    os.write(1, b"x" * (1 << 20))
    os.write(2, b"x" * (1 << 20))


def add(a, b):
    return a + b
