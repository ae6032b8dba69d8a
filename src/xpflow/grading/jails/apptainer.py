"""`apptainer`: a container of Apptainer (or Singularity) without network, home or host files.

The image (a .sif file or an unpacked folder with Python 3.11 in it) is named by XPFLOW_APPTAINER_IMAGE. What
it gives: the image's own root, read-only, namespaces of its own, a private /tmp of bounded size, no /proc, no
network. The payload adds limits and a system-call filter. What it does not: a bound on the memory of all
processes together, and, where we are not root, a /dev (of bounded size) in which a program can write nothing.
"""

from __future__ import annotations

import os
import re
import shutil
from functools import cache
from pathlib import Path

from xpflow.grading.jails.base import (
    ENVIRONMENT,
    INSIDE,
    TMP_MIB,
    WORKER,
    Jail,
    Launch,
    Payload,
    own_user_of,
    private_folder,
    probe,
    python_words,
)

IMAGE = "XPFLOW_APPTAINER_IMAGE"
UNMOUNTED = "bind-paths,proc,sys,devpts,home,cwd"
# The worker kills all that it can reach: it must be process 1 of a namespace, which a site can switch off.
FIRST = '[ $$ -eq 1 ] || { echo "not process 1: is allow pid ns = no?" >&2; exit 1; }; exec env -i "$@"'
# Root gets a /tmp without bound from Apptainer: make one, in a mount namespace that ends with the container.
BOUNDED = f'mount -t tmpfs -o size={TMP_MIB}m,mode=1777 tmpfs "$0" && exec "$@"'


def launch(folder: str, seat: int, payload: Payload) -> Launch:
    """Start the payload in a container of its own."""
    uid = own_user_of(seat)
    as_root = uid is not None
    settings = ["=".join(item) for item in {**ENVIRONMENT, "HOME": "/tmp"}.items()]
    command = [
        *(_command() or "apptainer", "--silent", "--nocolor", "exec"),
        *("--containall", "--cleanenv", "--no-home", "--no-init", "--no-mount", UNMOUNTED, "--pwd", "/tmp"),
        *(
            "--net",
            "--network",
            "none",
            "--ipc",
            "--uts",
            "--hostname",
            "jail",
            "--dns",
            "127.0.0.1",
            "--no-privs",
        ),
        *(("--add-caps", "CAP_SETUID,CAP_SETGID,CAP_KILL") if as_root else ()),
        *_binds(folder, payload, as_root),
        image(),
        *("sh", "-c", FIRST, "sh", *settings),
        *python_words("python3", payload, uid),
    ]
    if as_root:
        command = ["unshare", "--mount", "sh", "-c", BOUNDED, folder, *command]
    return Launch(command, {"PATH": os.environ.get("PATH", os.defpath)}, "/")


def _binds(folder: str, payload: Payload, as_root: bool) -> list[str]:
    """Bind the payload, root's /tmp, and something read-only over other places to which all may write."""
    pairs = [(str(path), f"{INSIDE}/{name}:ro") for name, path in payload.files]
    pairs += [(folder, f"{place}:ro") for place in ("/dev/shm", "/dev/mqueue", "/var/tmp")]
    pairs += [(folder, "/tmp")] if as_root else []
    escaped = [(re.sub(r"([\\:,])", r"\\\1", path), place) for path, place in pairs]
    return [word for path, place in escaped for word in ("--bind", f"{path}:{place}")]


@cache
def why_not() -> str | None:
    """Return why it cannot be used here."""
    if _command() is None:
        return "neither apptainer nor singularity is installed"
    if not os.environ.get(IMAGE):
        return f"no image: set {IMAGE} to a .sif file or a folder with Python 3.11"
    if not Path(os.environ[IMAGE]).exists():
        return f"no image: {IMAGE} is {os.environ[IMAGE]!r}, and there is no such file (nothing is pulled)"
    with private_folder() as folder:
        return probe(launch(folder, 0, WORKER))


def _command() -> str | None:
    return shutil.which("apptainer") or shutil.which("singularity")


def image() -> str:
    """Return the image that is named; empty where none is."""
    return os.environ.get(IMAGE, "")


JAIL = Jail("apptainer", True, why_not, launch, image)
