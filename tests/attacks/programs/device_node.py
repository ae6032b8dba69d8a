# WHAT: makes a node of the memory device and of the first disk; answers rightly only if refused
# CLASS: containment
# EXPECT: passed
import contextlib
import os
import stat
import tempfile

made = []
for kind, numbers in ((stat.S_IFCHR, (1, 1)), (stat.S_IFBLK, (8, 0))):
    place = os.path.join(tempfile.gettempdir(), f"@TAG@-{kind}")
    with contextlib.suppress(OSError):
        os.mknod(place, kind | 0o600, os.makedev(*numbers))
        made.append(place)
        os.unlink(place)


def add(a, b):
    return None if made else a + b
