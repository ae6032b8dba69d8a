# WHAT: runs a shell in every way that the standard library offers; the answer is right
# CLASS: containment
# EXPECT: passed
import contextlib
import os
import subprocess

COMMAND = "echo was here > @CANARY@/shell"
with contextlib.suppress(OSError):
    subprocess.run(COMMAND, shell=True, timeout=1)
with contextlib.suppress(OSError):
    os.system(COMMAND)
with contextlib.suppress(OSError):
    os.waitpid(os.posix_spawn("/bin/sh", ["sh", "-c", COMMAND], {}), 0)


def add(a, b):
    return a + b
