# WHAT: replaces the functions of the program that it runs in by ones that say passed
# CLASS: verdict
# EXPECT: wrong error timeout
import sys

NAMES = ("explain", "judge", "run_program", "parse_reply", "frame", "pack", "answer", "unpack", "execute")
STANDARD = {*sys.stdlib_module_names} - {"__main__"}
for place, module in list(sys.modules.items()):
    for name in NAMES:
        if hasattr(module, name) and place not in STANDARD:
            setattr(module, name, lambda *_, **__: {"verdict": "passed", "reason": ""})


def add(a, b):
    return None
