"""Runs one container and carries its stdin and stdout: argv[1] is JSON (see `settings`).

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
from functools import partial
from importlib import import_module
from typing import Any

ANSWER_S, START_S = 5.0, 60.0  # for the engine's first answer and all others
GRACE_S = 5.0  # for a payload to end by itself
LABEL = "xpflow.jail"
SHOWN = 200  # characters of an engine's own message
HEADER = 8  # bytes before each part of the container's output: kind (1 stdout, 2 stderr), 0 0 0, length
CLOSED = {"/var/tmp": "ro", "/dev/mqueue": "ro"}  # places to which all may write
HOSTS_OWN = ("/etc/hosts", "/etc/resolv.conf")  # of which an engine would give a copy
MAPPED_UIDS = 60_000  # where the engine maps users: what a container of an ordinary user surely has


def main() -> int:
    """Create, attach, start, carry, remove; return the exit status."""
    wanted, errors = json.loads(sys.argv[1]), import_module("docker").errors
    try:
        client, mapped = connect()
        container = client.containers.create(**settings(wanted, mapped))
        try:
            link = container.attach_socket(params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
            container.start()
            carry(getattr(link, "_sock", link))
        finally:
            for end in (container.kill, partial(container.remove, force=True, v=True)):
                with suppress(errors.APIError, OSError):  # it is gone, or the engine is removing it
                    end()
    except (errors.DockerException, OSError) as error:  # those of `requests` are OSErrors
        sys.exit(explained(error, wanted["image"]))
    return 0


def connect() -> tuple[Any, bool]:
    """Return a client, and whether users in a container are other ones outside (rootless, userns-remap)."""
    docker = import_module("docker")
    with closing(docker.from_env(timeout=ANSWER_S)) as first:
        version, info = first.api.api_version, first.info()
    options = info.get("SecurityOptions") or []
    mapped = info.get("Rootless") or any(o.startswith(("name=rootless", "name=userns")) for o in options)
    return docker.from_env(version=version, timeout=START_S), bool(mapped)


def settings(wanted: dict[str, Any], mapped: bool) -> dict[str, Any]:
    """Return the arguments of `containers.create`, which starts nothing and pulls nothing."""
    types = import_module("docker.types")
    argument = json.loads(wanted["argument"])
    if mapped:
        argument["uid"] = 1 + argument["uid"] % MAPPED_UIDS
    program, *words = wanted["command"]
    files = {**wanted["files"], **dict.fromkeys(HOSTS_OWN, os.devnull)}
    return {
        "image": wanted["image"],
        "entrypoint": [program],
        "command": [*words, json.dumps(argument)],
        "environment": wanted["environment"],
        "use_config_proxy": False,
        "mounts": [types.Mount(inside, path, "bind", read_only=True) for inside, path in files.items()],
        "labels": {LABEL: str(os.getpid())},
        "hostname": "jail",
        "working_dir": "/tmp",
        "stdin_open": True,  # attached once: the end of the connection is the end of its stdin
        "auto_remove": True,
        "init": False,
        "log_config": types.LogConfig(type="none"),
        "network_mode": "none",
        "ipc_mode": "none",  # no /dev/shm
        "read_only": True,
        "tmpfs": {
            "/tmp": f"size={wanted['tmp_mib']}m,mode=1777",
            **CLOSED,
        },  # Podman adds /run, /tmp and /var/tmp to a read-only root
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
    errors = import_module("docker").errors
    engine = os.environ.get("DOCKER_HOST") or "the default socket"
    if isinstance(error, errors.ImageNotFound):
        return f"the engine has no image {image!r}: build or load it there, nothing is pulled"
    if isinstance(error, errors.APIError):
        return f"the engine refuses a container: {str(error.explanation or error)[-SHOWN:]}"
    if "Permission denied" in str(error):
        return f"no permission to use the engine at {engine}: join its group, or use a rootless one"
    return f"no engine answers at {engine}: start Docker or `podman system service`; set DOCKER_HOST"


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
