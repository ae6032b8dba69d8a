"""Runs one container and carries its stdin and stdout: argv[1] is JSON (image, command, argument, files, ...).

A process of its own, because the SDK's attached socket is not a file descriptor that can be handed on. The
container is removed when either side ends; when this process is killed, its stdin ends with the connection,
and the engine removes it.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from contextlib import closing, suppress
from typing import Any

ANSWER_S, START_S = 5.0, 60.0  # for the engine's first answer and all others
GRACE_S = 5.0  # for a payload to end by itself
LABEL = "xpflow.jail"
HEADER = 8  # bytes before each part of the container's output: kind (1 stdout, 2 stderr), 0 0 0, length
TMP = "size=64m,mode=1777"
MAPPED_UIDS = 60_000  # where the engine maps users: what a container of an ordinary user surely has


def main() -> int:
    """Create, attach, start, carry, remove; return the exit status."""
    import docker

    wanted, container = json.loads(sys.argv[1]), None
    try:
        client, mapped = connect()
        container = client.containers.create(**settings(wanted, mapped))
        link = container.attach_socket(params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
        container.start()
        carry(getattr(link, "_sock", link))
    except (docker.errors.DockerException, OSError) as error:  # requests' exceptions are OSErrors
        sys.exit(explained(error, wanted["image"]))
    finally:
        for remove in (lambda: container.kill(), lambda: container.remove(force=True, v=True)):
            if container is not None:
                with suppress(docker.errors.APIError, OSError):  # it is gone, or the engine is removing it
                    remove()
    return 0


def connect() -> tuple[Any, bool]:
    """Return a client, and whether users in a container are other ones outside (rootless, userns-remap)."""
    import docker

    with closing(docker.from_env(timeout=ANSWER_S)) as first:
        version, options = first.api.api_version, first.info().get("SecurityOptions") or []
    mapped = any(option.startswith(("name=rootless", "name=userns")) for option in options)
    return docker.from_env(version=version, timeout=START_S), mapped


def settings(wanted: dict[str, Any], mapped: bool) -> dict[str, Any]:
    """Return the arguments of `containers.create`, which starts nothing and pulls nothing."""
    from docker.types import LogConfig, Mount

    argument = json.loads(wanted["argument"])
    if mapped:
        argument["uid"] = 1 + argument["uid"] % MAPPED_UIDS
    program, *words = wanted["command"]
    return {
        "image": wanted["image"],
        "entrypoint": [program],
        "command": [*words, json.dumps(argument)],
        "environment": wanted["environment"],
        "use_config_proxy": False,
        "mounts": [Mount(inside, path, "bind", read_only=True) for inside, path in wanted["files"].items()],
        "labels": {LABEL: str(os.getpid())},
        "hostname": "jail",
        "working_dir": "/tmp",
        "stdin_open": True,  # attached once: the end of the connection is the end of its stdin
        "auto_remove": True,
        "init": False,
        "log_config": LogConfig(type="none"),
        "network_mode": "none",
        "ipc_mode": "none",  # no /dev/shm
        "read_only": True,
        "tmpfs": {"/tmp": TMP},
        "mem_limit": wanted["memory"],
        "memswap_limit": wanted["memory"],
        "pids_limit": 256,
        "cap_drop": ["ALL"],
        "cap_add": ["SETUID", "SETGID", "KILL"],
        "security_opt": ["no-new-privileges"],
        "user": "0:0",
    }


def explained(error: Exception, image: str) -> str:
    """Return what went wrong, and what to do about it."""
    import docker

    engine = os.environ.get("DOCKER_HOST", "the default socket")
    if isinstance(error, docker.errors.ImageNotFound):
        return f"the engine has no image {image!r}: build or load it there, nothing is pulled"
    if isinstance(error, docker.errors.APIError):
        return f"the engine refuses a container: {error.explanation or error}"
    if "Permission denied" in str(error):
        return f"no permission to use the engine at {engine}: join its group, or use a rootless one"
    return f"no engine answers at {engine}: start Docker or `podman system service`, set DOCKER_HOST ({error})"


def carry(link: Any) -> None:
    """Carry bytes both ways until one side ends."""
    link.settimeout(None)
    threading.Thread(target=feed, args=(link,), daemon=True).start()
    with suppress(OSError):
        split(link, {1: 1, 2: 2})


def feed(link: Any, source: int = 0) -> None:
    """Pass on what comes from a descriptor; at its end end the container's stdin, and soon the connection."""
    with suppress(OSError):
        while part := os.read(source, 1 << 16):
            link.sendall(part)
        link.shutdown(socket.SHUT_WR)
        time.sleep(GRACE_S)
    with suppress(OSError):
        link.shutdown(socket.SHUT_RDWR)


def split(link: Any, sinks: dict[int, int]) -> None:
    """Write each frame of the container's output to the descriptor of its kind, until the stream ends."""
    data = b""
    while part := link.recv(1 << 16):
        data += part
        while len(data) >= HEADER and len(data) >= (end := HEADER + int.from_bytes(data[4:HEADER], "big")):
            write(sinks.get(data[0], 2), data[HEADER:end])
            data = data[end:]


def write(descriptor: int, data: bytes) -> None:
    """Write all bytes."""
    while data:
        data = data[os.write(descriptor, data) :]


if __name__ == "__main__":
    sys.exit(main())
