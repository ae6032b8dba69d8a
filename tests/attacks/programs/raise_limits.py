# WHAT: tries to raise its own limits, then allocates
# CLASS: resource
# EXPECT: memory timeout
import contextlib
import resource


def add(a, b):
    for kind in (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_NPROC):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(kind, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return len(bytearray(4 << 30))
