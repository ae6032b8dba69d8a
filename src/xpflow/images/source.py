"""Digests of what an image is made from, so that an image and a checkout can be told to fit."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from xpflow.artifacts.io import sha256_file

PACKAGE = Path("src/xpflow")
INGREDIENTS = (
    Path("requirements.lock"),
    *(Path("containers") / name for name in ("build.lock", "torch-cpu.lock", "install.sh")),
)


def source_digest(root: str | Path) -> str:
    """Return the digest of a checkout's package, locks and install.sh: names and contents, not times."""
    root = Path(root)
    return _digest(root, [*_files(root / PACKAGE), *(root / path for path in INGREDIENTS)])


def package_digest(package: str | Path) -> str:
    """Return the digest of the files of a package alone."""
    return _digest(Path(package), _files(Path(package)))


def _files(folder: Path) -> Iterable[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def _digest(root: Path, files: Iterable[Path]) -> str:
    lines = sorted(f"{path.relative_to(root).as_posix()} {sha256_file(path)}\n" for path in files)
    return f"sha256:{hashlib.sha256(''.join(lines).encode()).hexdigest()}"
