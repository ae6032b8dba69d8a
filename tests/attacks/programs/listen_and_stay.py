# WHAT: listens on a port and stays behind as a server, if it may fork; the answer is right
# CLASS: containment
# EXPECT: passed
import contextlib
import ctypes
import os
import socket
import time

with contextlib.suppress(OSError):
    server = socket.create_server(("127.0.0.1", 0))
    if os.fork() == 0:
        os.setsid()
        ctypes.CDLL(None).prctl(15, b"@TAG@", 0, 0, 0)
        time.sleep(20)
        os._exit(0)


def add(a, b):
    return a + b
