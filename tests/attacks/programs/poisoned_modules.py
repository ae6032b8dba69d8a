# WHAT: leaves modules in its private directory that break what imports them; the answer is right
# CLASS: containment
# EXPECT: passed
import os

POISON = "open('@CANARY@/imported', 'w').close()\nraise SystemExit(0)\n"
if os.environ.get("TMPDIR") == os.environ.get("HOME") == os.getcwd():
    for name in ("json", "struct", "typing", "xpflow", "sitecustomize", "usercustomize", "candidate", "re"):
        with open(f"{name}.py", "w") as file:
            file.write(POISON)


def add(a, b):
    return a + b
