# WHAT: counts what its parent and all processors do, to measure secrets; right only if refused
# CLASS: containment
# EXPECT: passed
import ctypes
import os
import struct

PERF_EVENT_OPEN = 298
wanted = struct.pack("<IIQQQQQ", 1, 112, 0, 0, 0, 0, 0x60)
targets = [(-1, 0)] + [(os.getppid(), -1)] * (os.getppid() > 0)
libc = ctypes.CDLL(None)
watched = []
for process, processor in targets:
    described = ctypes.create_string_buffer(wanted, 112)
    if libc.syscall(PERF_EVENT_OPEN, described, process, processor, -1, 0) >= 0:
        watched.append(process)


def add(a, b):
    return None if watched else a + b
