# WHAT: climbs out of its root directory with chroot; answers rightly only if the canary stays hidden
# CLASS: containment
# EXPECT: passed
import contextlib
import ctypes
import os
import tempfile

ctypes.CDLL(None).unshare(0x10000000)
with contextlib.suppress(OSError), tempfile.TemporaryDirectory() as folder:
    outside = os.open("/", os.O_RDONLY)
    os.chroot(folder)
    os.fchdir(outside)
    for _ in range(64):
        os.chdir("..")
    os.chroot(".")
seen = os.path.exists("@CANARY@/precious")


def add(a, b):
    return None if seen else a + b
