# WHAT: leaves a user site with a .pth file and a usercustomize in its private home; the answer is right
# CLASS: containment
# EXPECT: passed
import os
import site

POISON = "import sys; open('@CANARY@/started', 'w').close()\n"
home, folder = os.environ.get("HOME"), site.getusersitepackages()
if home and home == os.environ.get("TMPDIR") and folder.startswith(home + os.sep):
    os.makedirs(folder, exist_ok=True)
    for name in ("poison.pth", "usercustomize.py", "sitecustomize.py"):
        with open(os.path.join(folder, name), "w") as file:
            file.write(POISON)


def add(a, b):
    return a + b
