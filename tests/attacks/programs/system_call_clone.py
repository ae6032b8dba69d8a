# WHAT: leaves processes that were made by system calls older and newer than fork; the answer is right
# CLASS: containment
# EXPECT: passed
import ctypes
import os
import signal
import struct

CLONE, FORK, CLONE3, X32 = 56, 57, 435, 0x40000000
CALLS = (
    (CLONE, int(signal.SIGCHLD), 0, 0, 0, 0),
    (FORK,),
    (CLONE3, struct.pack("<8Q", 0, 0, 0, 0, signal.SIGCHLD, 0, 0, 0), 64),
    (FORK | X32,),
)
libc = ctypes.PyDLL(None)
for call in CALLS if os.uname().machine == "x86_64" else ():
    if libc.syscall(*call) == 0:
        libc.prctl(15, b"@TAG@", 0, 0, 0)
        libc.sleep(20)
        libc._exit(0)


def add(a, b):
    return a + b
