# WHAT: writes wherever it can think of; the answer is right
# CLASS: containment
# EXPECT: passed
import contextlib
import os

system = ("/", "/etc", "/usr", "/usr/lib", "/dev", "/dev/shm", "/var/tmp", "/run", "/root", "/home", "/py")
for folder in ("@CANARY@", *system):
    try:
        with open(os.path.join(folder, "@TAG@"), "w") as file:
            file.write("was here")
    except OSError:
        pass
with contextlib.suppress(OSError):
    os.remove("@CANARY@/precious")


def add(a, b):
    return a + b
