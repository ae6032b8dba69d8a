# WHAT: unpacks a gigabyte from a megabyte
# CLASS: resource
# EXPECT: memory timeout
import zlib

packer = zlib.compressobj(9, zlib.DEFLATED, -15)
BLOCK = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)


def add(a, b):
    return zlib.decompress(BLOCK * 1024, -15)
