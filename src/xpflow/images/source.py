"""A digest of the package's own files, so that an image and a checkout can be told to be the same."""

from __future__ import annotations

import hashlib
from pathlib import Path

from xpflow.artifacts.io import sha256_file

SKIPPED = ("__pycache__",)


def source_digest(package: str | Path) -> str:
    """Return the digest of all files of a package folder: names and contents, not times or order."""
    folder = Path(package)
    lines = [
        f"{path.relative_to(folder).as_posix()} {sha256_file(path)}\n"
        for path in folder.rglob("*")
        if path.is_file() and not set(SKIPPED) & set(path.parts)
    ]
    return f"sha256:{hashlib.sha256(''.join(sorted(lines)).encode()).hexdigest()}"
