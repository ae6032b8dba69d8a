# WHAT: leaves files that are hard to list, open or remove; the answer is right
# CLASS: containment
# EXPECT: passed
import contextlib
import os
import socket
import tempfile

here = tempfile.gettempdir().encode() + b"/@TAG@-"
for name in (b"\xff\xfe", b"two\nlines", b"-rf *", b"x" * 200, b"\x1b]0;title\x07"):
    with contextlib.suppress(OSError), open(here + name, "w"):
        pass
with contextlib.suppress(OSError):
    os.mkfifo(here + b"fifo")
with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as server:
    server.bind(here + b"socket")
with contextlib.suppress(OSError):
    os.makedirs(here + b"locked/inside")
    os.chmod(here + b"locked", 0)


def add(a, b):
    return a + b
