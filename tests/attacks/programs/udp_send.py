# WHAT: sends datagrams to the host's loopback; the answer is right
# CLASS: containment
# EXPECT: passed
import contextlib
import socket

with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
    for _ in range(3):
        sender.sendto(b"@TAG@", ("127.0.0.1", int("@PORT@")))


def add(a, b):
    return a + b
