# WHAT: sends descriptors over every socket that it finds, to fill the table of whoever receives
# CLASS: containment
# EXPECT: passed error
import contextlib
import os
import socket

null = os.open("/dev/null", os.O_RDWR)
for number in range(64):
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(number)) as channel:
        channel.setblocking(False)
        for _ in range(10):
            socket.send_fds(channel, [b"\0"], [null] * 100)


def add(a, b):
    return a + b
