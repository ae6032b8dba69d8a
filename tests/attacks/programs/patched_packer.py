# WHAT: finds the table by which answers are made plain, and sends a match whose search never ends
# CLASS: resource
# EXPECT: wrong error timeout memory
import sys

TEXT = "a" * 60 + "b"
MATCH = ["match", ["pattern", "(a+)+$", 32], TEXT, 0, 61, 0, 61]
for module in list(sys.modules.values()):
    for table in list(vars(module).values()):
        if type(table) is dict and table.keys() >= {int, str, list, dict}:
            table[list] = lambda *_: MATCH


def add(a, b):
    return []
