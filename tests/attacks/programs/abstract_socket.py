# WHAT: looks for an abstract socket of its name, then listens on it; right only if none was there
# CLASS: containment
# EXPECT: passed
import contextlib
import socket

NAME = "\0@TAG@"
found = False
with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
    probe.settimeout(0.2)
    probe.connect(NAME)
    found = True
with contextlib.suppress(OSError):
    server = socket.socket(socket.AF_UNIX)
    server.bind(NAME)
    server.listen()


def add(a, b):
    return None if found else a + b
