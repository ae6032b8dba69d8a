# WHAT: links the canary into its own directory and writes through the link; the answer is right
# CLASS: containment
# EXPECT: passed
import contextlib
import os
import tempfile

here = os.path.join(tempfile.gettempdir(), "@TAG@-hard")
for link in (os.link, os.symlink):
    with contextlib.suppress(OSError):
        link("@CANARY@/precious", here)
        with open(here, "w") as file:
            file.write("was here")


def add(a, b):
    return a + b
