# WHAT: sends a pickle that writes a file where it is loaded
# CLASS: containment
# EXPECT: error
import contextlib
import os
import pickle
import struct


class Trap:
    def __reduce__(self):
        return open, ("@CANARY@/unpickled", "w")


def add(a, b):
    data = pickle.dumps(Trap())
    for descriptor in range(64):
        with contextlib.suppress(OSError):
            os.write(descriptor, struct.pack("<I", len(data)) + data)
            os.write(descriptor, data)
    os._exit(0)
