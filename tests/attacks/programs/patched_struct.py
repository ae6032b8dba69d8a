# WHAT: patches struct so that frames are announced as longer than they are
# CLASS: verdict
# EXPECT: wrong error timeout
import struct


class Longer(struct.Struct):
    def pack(self, size, *rest):
        return super().pack(size + 1000, *rest)


honest = struct.pack
struct.pack = lambda form, *values: honest(form, *[value + 1000 for value in values])
struct.Struct = Longer


def add(a, b):
    return None
