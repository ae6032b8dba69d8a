"""Runs one container and carries its stdin and stdout: argv[1] is JSON (image, command, volumes, ...).

A process of its own, because the SDK's attached socket is not a file descriptor that can be handed on. The
container is removed when either side ends.
"""

from __future__ import annotations

import json
import os
import select
import struct
import sys
from contextlib import suppress
from typing import Any


def main() -> int:
    """Create, attach, start, carry, remove; return the exit status."""
    import docker

    wanted = json.loads(sys.argv[1])
    client = docker.from_env()
    container = client.containers.create(
        wanted["image"],
        wanted["command"],
        environment=wanted["environment"],
        volumes=wanted["volumes"],
        working_dir="/tmp",
        stdin_open=True,
        network_mode="none",
        read_only=True,
        tmpfs={"/tmp": "size=64m,mode=1777"},
        mem_limit=wanted["memory"],
        memswap_limit=wanted["memory"],
        pids_limit=256,
        cap_drop=["ALL"],
        cap_add=["SETUID", "SETGID", "KILL"],
        security_opt=["no-new-privileges"],
        user="0:0",
    )
    try:
        attached = container.attach_socket(params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
        container.start()
        carry(getattr(attached, "_sock", attached))
    finally:
        with suppress(docker.errors.APIError):
            container.remove(force=True)
    return 0


def carry(link: Any) -> None:
    """Carry bytes both ways until one side ends; the container's come in frames (kind, length, bytes)."""
    data = b""
    while True:
        ready, _, _ = select.select([0, link], [], [])
        if 0 in ready:
            part = os.read(0, 1 << 16)
            if not part:
                return
            link.sendall(part)
        if link in ready:
            part = link.recv(1 << 16)
            if not part:
                return
            data += part
            while len(data) >= 8 and len(data) >= 8 + (size := struct.unpack(">I", data[4:8])[0]):
                write(1 if data[0] == 1 else 2, data[8 : 8 + size])
                data = data[8 + size :]


def write(descriptor: int, data: bytes) -> None:
    """Write all bytes."""
    while data:
        data = data[os.write(descriptor, data) :]


if __name__ == "__main__":
    sys.exit(main())
