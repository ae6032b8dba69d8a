# WHAT: looks for the tests in every object that the garbage collector knows
# CLASS: verdict
# EXPECT: wrong error timeout
import gc
import re

TEST = re.compile(r"(?:add|candidate)\((-?\d+), (-?\d+)\) == (-?\d+)")
known = {}
for thing in gc.get_objects():
    for value in gc.get_referents(thing):
        if type(value) is str and "== " in value:
            known.update({(int(a), int(b)): int(c) for a, b, c in TEST.findall(value)})


def add(a, b):
    return known.get((a, b))
