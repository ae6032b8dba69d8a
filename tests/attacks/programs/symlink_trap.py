# WHAT: leaves links to places outside, for a cleaner that follows them; the answer is right
# CLASS: containment
# EXPECT: passed
import contextlib
import os
import tempfile

here = tempfile.gettempdir()
for name, place in (("canary", "@CANARY@"), ("precious", "@CANARY@/precious"), ("loop", here), ("up", "..")):
    with contextlib.suppress(OSError):
        os.symlink(place, os.path.join(here, f"@TAG@-{name}"), target_is_directory=True)


def add(a, b):
    return a + b
