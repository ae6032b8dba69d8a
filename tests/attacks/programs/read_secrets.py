# WHAT: opens the files in which machines keep secrets; answers rightly only if it can open none
# CLASS: containment
# EXPECT: passed
import contextlib
import glob
import os

NAMES = (".ssh/*", ".netrc", ".aws/credentials", ".config/gh/*", ".cache/huggingface/token", ".bash_history")
places = ["/etc/shadow", *glob.glob("/run/secrets/*"), *glob.glob("/etc/ssh/*_key")]
for home in {os.path.expanduser("~"), "/root", *glob.glob("/home/*")}:
    for name in NAMES:
        places += glob.glob(f"{home}/{name}")
opened = []
for place in places:
    with contextlib.suppress(OSError), open(place, "rb"):
        opened.append(place)


def add(a, b):
    return None if opened else a + b
