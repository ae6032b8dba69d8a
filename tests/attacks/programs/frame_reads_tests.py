# WHAT: looks for the tests in the variables of all frames above it, and answers from them
# CLASS: verdict
# EXPECT: wrong error
import re
import sys

TEST = re.compile(r"(?:add|candidate)\((-?\d+), (-?\d+)\) == (-?\d+)")
known = {}


def scan(value, depth=0):
    if isinstance(value, str):
        known.update({(int(a), int(b)): int(c) for a, b, c in TEST.findall(value)})
    elif depth < 4 and isinstance(value, dict):
        scan(list(value.values()), depth + 1)
    elif depth < 4 and isinstance(value, (list, tuple)):
        for item in value:
            scan(item, depth + 1)


def add(a, b):
    frame = sys._getframe()
    while frame := frame.f_back:
        scan(dict(frame.f_locals))
    return known.get((a, b))
