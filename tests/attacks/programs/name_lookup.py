# WHAT: asks the name service, by which data can leave; answers rightly only if there is no reply
# CLASS: containment
# EXPECT: passed
import contextlib
import socket

found = []
with contextlib.suppress(OSError):
    found = socket.getaddrinfo("example.com", 80)


def add(a, b):
    return None if found else a + b
