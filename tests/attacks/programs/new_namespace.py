# WHAT: makes a user namespace to be root in, and mounts the root anew as writable; the answer is right
# CLASS: containment
# EXPECT: passed
import contextlib
import ctypes

NEW_USER, NEW_MOUNT, REMOUNT, BIND = 0x10000000, 0x20000, 32, 4096
libc = ctypes.CDLL(None)
if libc.unshare(NEW_USER | NEW_MOUNT) == 0:
    for flags in (REMOUNT | BIND, REMOUNT, BIND):
        libc.mount(b"/", b"/", None, ctypes.c_ulong(flags), None)
    libc.umount2(b"/tmp", 2)
with contextlib.suppress(OSError), open("@CANARY@/mounted", "w") as file:
    file.write("was here")


def add(a, b):
    return a + b
