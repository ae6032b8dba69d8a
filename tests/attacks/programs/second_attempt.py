# WHAT: loops for ever unless it finds the file of an earlier attempt; then it answers rightly
# CLASS: containment
# EXPECT: timeout
import os
import tempfile

trace = os.path.join(tempfile.gettempdir(), "@TAG@-second-attempt")
again = os.path.exists(trace)
with open(trace, "w") as file:
    file.write("was here")


def add(a, b):
    while not again:
        pass
    return a + b
