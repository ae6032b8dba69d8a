"""`docker`: a container of Docker, or of Podman behind its Docker-compatible socket, through the SDK.

The image (with Python 3.11 in it; nothing is pulled) is named by XPFLOW_DOCKER_IMAGE, the engine, one on this
machine, by DOCKER_HOST as usual. What it gives: the image's own root, read-only, a private /tmp of bounded
size, no network, no capabilities beyond those for changing users, bounds on memory and processes (a rootless
engine on cgroups v1 has none). `docker_bridge.py` stands between the container and the oracle.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
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
    probe,
    python_words,
    user_of,
)

IMAGE = "XPFLOW_DOCKER_IMAGE"
BRIDGE = Path(__file__).with_name("docker_bridge.py")
BRIDGE_NEEDS = ("PATH", "HOME", "PYTHONPATH", "DOCKER_HOST")
MEMORY = "2g"


def launch(folder: str, seat: int, payload: Payload) -> Launch:
    """Start the payload in a container of its own, behind a bridge process."""
    *command, argument = python_words("python3", payload, user_of(seat))
    container = {
        "image": image(),
        "command": command,
        "argument": argument,
        "environment": {**ENVIRONMENT, "HOME": "/tmp"},
        "files": {f"{INSIDE}/{name}": str(path) for name, path in payload.files},
        "memory": MEMORY,
        "tmp_mib": TMP_MIB,
    }
    environment = {key: value for key, value in os.environ.items() if key in BRIDGE_NEEDS}
    # -P: beside the bridge lies a docker.py that is not the SDK
    return Launch([sys.executable, "-P", str(BRIDGE), json.dumps(container)], environment, "/")


@cache
def why_not() -> str | None:
    """Return why it cannot be used here."""
    if importlib.util.find_spec("docker") is None:
        return "the package `docker` is not installed"
    if not os.environ.get(IMAGE):
        return f"no image: set {IMAGE} to one with Python 3.11 that the engine has"
    return probe(launch("/tmp", 0, WORKER))


def image() -> str:
    """Return the image that is named; empty where none is."""
    return os.environ.get(IMAGE, "")


JAIL = Jail("docker", True, why_not, launch, image)
