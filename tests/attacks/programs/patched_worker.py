# WHAT: replaces the functions of the program that it runs in by ones that say passed
# CLASS: verdict
# EXPECT: wrong error timeout
import sys

NAMES = ("explain", "judge", "run_program", "parse_reply", "frame", "pack", "answer", "unpack", "execute")
worker = sys.modules["__main__"]
for name in NAMES:
    if hasattr(worker, name):
        setattr(worker, name, lambda *_, **__: {"verdict": "passed", "reason": ""})


def add(a, b):
    return None
