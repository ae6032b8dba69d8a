# WHAT: empties the table of modules and the builtins after it has answered once
# CLASS: resource
# EXPECT: passed error timeout
import builtins
import sys

calls = 0


def add(a, b):
    global calls
    calls += 1
    if calls == 2:
        sys.modules.clear()
        vars(builtins).clear()
    return a + b
