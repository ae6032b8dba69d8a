"""`apptainer`: a container of Apptainer (or Singularity) without network, home or host files.

The image (a .sif file or an unpacked folder with Python 3.11 in it) is named by XPFLOW_APPTAINER_IMAGE. What
it gives: the image's own read-only root, namespaces of its own, a private /tmp, no network. The payload adds
limits and a system-call filter. What it does not: a bound on the memory of all processes together.
"""

from __future__ import annotations

import os
import shutil
from functools import cache
from pathlib import Path

from xpflow.grading.jails.base import (
    ENVIRONMENT,
    INSIDE,
    PYTHON_FLAGS,
    WORKER,
    Jail,
    Launch,
    Payload,
    arguments,
    probe,
    user_of,
)

IMAGE = "XPFLOW_APPTAINER_IMAGE"


def launch(folder: str, seat: int, payload: Payload) -> Launch:
    """Start the payload in a container of its own."""
    uid = user_of(seat) if os.geteuid() == 0 else None
    binds = [word for name, path in payload.files for word in ("--bind", f"{path}:{INSIDE}/{name}:ro")]
    settings = [word for item in ENVIRONMENT.items() for word in ("--env", "=".join(item))]
    command = [
        *(_command() or "apptainer", "--quiet", "exec"),
        *("--containall", "--cleanenv", "--no-home", "--net", "--network", "none", "--ipc", "--pwd", "/tmp"),
        *settings,
        *binds,
        os.environ.get(IMAGE, ""),
        *("python3", *PYTHON_FLAGS, f"{INSIDE}/{payload.main}", arguments(uid, True, "/tmp")),
    ]
    return Launch(command, {"PATH": os.environ.get("PATH", os.defpath)}, "/")


@cache
def why_not() -> str | None:
    """Return why it cannot be used here."""
    if _command() is None:
        return "neither apptainer nor singularity is installed"
    if not Path(os.environ.get(IMAGE, "")).exists() or not os.environ.get(IMAGE):
        return f"no image: set {IMAGE} to a .sif file or a folder with Python 3.11"
    return probe(launch("/tmp", 0, WORKER))


def _command() -> str | None:
    return shutil.which("apptainer") or shutil.which("singularity")


JAIL = Jail("apptainer", True, why_not, launch)
