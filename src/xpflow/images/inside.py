"""What a process in the project's image knows of it: the record made by the build, the digest from outside.

An image cannot hold its own digest; the workflow passes it in (`xpflow.images.use`). It is what the workflow
read, not measured here.
"""

from __future__ import annotations

import json
import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from packaging.markers import Marker

import xpflow
from xpflow.artifacts.environment import CONTAINER
from xpflow.errors import ArtifactError
from xpflow.images.lock import ImageLock, package_digest

RECORD = Path("/opt/xpflow/image.json")
PIN = re.compile(r"^([a-z0-9][a-z0-9.-]*)==([^\s\\]+)(?:[ \t]*;([^\\\n]*))?", re.MULTILINE)


def container_note() -> str | None:
    """Return one line about the image that this process runs in, or None outside of it."""
    digest = os.environ.get(CONTAINER)
    if not RECORD.exists():
        return None
    facts = json.loads(RECORD.read_text(encoding="utf-8"))
    about = f"base {facts['base']}, Python {facts['python']}, torch {facts['torch']}"
    return f"{digest or 'digest unknown: the image was not started by the workflow'} ({about})"


def image_facts(build: Path, lock: ImageLock, base: str) -> dict[str, Any]:
    """Return the record of an image under construction, in which we run.

    Raises:
        ArtifactError: a package is not the locked one, or torch not the version of images.lock.yaml.
    """
    torch = _version("torch")
    if torch.split("+")[0] != lock.torch:
        raise ArtifactError(f"this image has torch {torch}, images.lock.yaml asks for {lock.torch}")
    for path in (build / "build.lock", build / "requirements.lock"):
        for name, wanted, marker in PIN.findall(path.read_text(encoding="utf-8")):
            if marker and not Marker(marker).evaluate():
                continue  # for other systems
            if (found := _version(name)) != wanted:
                raise ArtifactError(f"{path.name} asks for {name} {wanted}, this image has {found}")
    return {
        "base": base,
        "python": platform.python_version(),
        "torch": torch,
        "xpflow": xpflow.__version__,
        "source": package_digest(build / "package" / "src" / "xpflow"),
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"
