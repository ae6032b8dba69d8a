# WHAT: opens a socket to the host of a virtual machine, past network namespaces; right only if refused
# CLASS: containment
# EXPECT: passed
import contextlib
import socket

opened = False
with contextlib.suppress(OSError), socket.socket(40, socket.SOCK_STREAM):
    opened = True


def add(a, b):
    return None if opened else a + b
