# WHAT: connects to the sockets of the host's services; answers rightly only if it reaches none
# CLASS: containment
# EXPECT: passed
import contextlib
import glob
import os
import socket

places = ["/run/docker.sock", "/var/run/docker.sock", "/run/dbus/system_bus_socket", "/run/systemd/private"]
places += [os.environ.get("SSH_AUTH_SOCK", ""), *glob.glob("/tmp/.X11-unix/*"), *glob.glob("/run/user/*/bus")]
reached = []
for place in places:
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as service:
        service.settimeout(0.2)
        service.connect(place)
        reached.append(place)


def add(a, b):
    return None if reached else a + b
