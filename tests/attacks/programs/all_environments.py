# WHAT: reads the environment of every process that it can see; right only if no secret is in it
# CLASS: containment
# EXPECT: passed
import contextlib
import glob

SECRETS = (b"@TAG@", b"XPFLOW_TEST_SECRET")
found = []
for place in glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/self/task/*/environ"):
    with contextlib.suppress(OSError), open(place, "rb") as file:
        text = file.read()
        found += [place for secret in SECRETS if secret in text]


def add(a, b):
    return None if found else a + b
