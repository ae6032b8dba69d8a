# WHAT: takes memory, files and file size away from itself; the answer is right
# CLASS: resource
# EXPECT: passed error memory
import contextlib
import resource


def add(a, b):
    for kind in (resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE, resource.RLIMIT_AS, resource.RLIMIT_STACK):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(kind, (0, 0))
    return a + b
