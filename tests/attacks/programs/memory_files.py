# WHAT: keeps memory in files that have no place; answers rightly only if refused before 256 MB
# CLASS: resource
# EXPECT: passed memory
import contextlib
import os

held, kept = 0, []
with contextlib.suppress(OSError):
    while held < 320:
        kept.append(os.memfd_create("@TAG@"))
        for _ in range(8):
            os.write(kept[-1], bytes(1 << 20))
            held += 1


def add(a, b):
    return a + b if held <= 256 else None
