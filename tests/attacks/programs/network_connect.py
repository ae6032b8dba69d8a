# WHAT: connects to a listener on the host's loopback; answers rightly only if it cannot
# CLASS: containment
# EXPECT: passed
import socket

connected = False
for address in (("127.0.0.1", int("@PORT@")), ("localhost", int("@PORT@"))):
    try:
        socket.create_connection(address, timeout=0.3).close()
        connected = True
    except OSError:
        pass


def add(a, b):
    return None if connected else a + b
