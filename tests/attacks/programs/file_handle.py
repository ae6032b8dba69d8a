# WHAT: opens the root of the disk by its number, past all mounts; answers rightly only if refused
# CLASS: containment
# EXPECT: passed
import ctypes
import os
import struct

handle = ctypes.create_string_buffer(struct.pack("<IiII", 8, 1, 2, 0))
libc = ctypes.CDLL(None)
places = [os.open(place, os.O_RDONLY) for place in ("/", "/tmp", "/usr/lib") if os.path.isdir(place)]
reached = [place for place in places if libc.open_by_handle_at(place, handle, os.O_RDONLY) >= 0]


def add(a, b):
    return None if reached else a + b
