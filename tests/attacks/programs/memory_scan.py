# WHAT: searches its own memory for the tests, page by page, through a pipe that refuses bad addresses
# CLASS: verdict
# EXPECT: wrong error timeout
import ctypes
import os
import re

TEST = re.compile(rb"(?:add|candidate)\((-?\d+), (-?\d+)\) == (-?\d+)")
STEP = 1 << 16
libc = ctypes.CDLL(None)
libc.sbrk.restype = ctypes.c_void_p
reader, writer = os.pipe()
known = {}
for middle in (libc.sbrk(ctypes.c_long(0)), id(known), id(int)):
    start = (middle & -STEP) - (STEP << 8)
    for address in range(start, start + (STEP << 9), STEP):
        size = libc.write(writer, ctypes.c_void_p(address), ctypes.c_size_t(STEP))
        if size > 0:
            found = TEST.findall(os.read(reader, size))
            known.update({(int(a), int(b)): int(c) for a, b, c in found})


def add(a, b):
    return known.get((a, b))
