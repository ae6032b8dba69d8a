"""Which image a checkout uses: the records of images, and digests of what one is made from.

`containers/images.lock.yaml` is committed, `containers/images.local.yaml` is of an image built here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError

from xpflow.artifacts.io import atomic_write_text, sha256_file
from xpflow.errors import ConfigError
from xpflow.study.config.base import Block

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


LOCK = Path("containers/images.lock.yaml")
LOCAL = Path("containers/images.local.yaml")
SIF = Path("containers/xpflow.sif")
STORED = "image-store:"  # before the tag of an image that only Docker or Podman has
DIGEST = r"^sha256:[0-9a-f]{64}$"


class BaseImage(Block):
    """What the project's image is built on."""

    reference: str = Field(description="Name in its registry, without tag")
    tag: str = Field(description="For people: the digest decides")
    digest: str = Field(pattern=DIGEST, description="Digest of the manifest")
    python: str = Field(description="Version of its interpreter")
    torch_lock: str | None = Field(description="Lock file with torch; null: the base has it")

    @property
    def pinned(self) -> str:
        """The reference that an engine pulls."""
        return f"{self.reference}@{self.digest}"


class PublishedImage(Block):
    """The project's image: a path below the repository, or docker://name and the digest of its manifest."""

    reference: str = Field(description="Path, or docker://registry/name")
    digest: str | None = Field(default=None, pattern=DIGEST, description="Null: built here")


class LocalImage(Block):
    """An image that was built on this machine, or copied to it together with this record."""

    reference: str = Field(description="Path (below the repository), or image-store:tag")
    digest: str = Field(pattern=DIGEST, description="SHA-256 of the file, or the engine's image id")
    size: int | None = Field(default=None, description="Bytes of the file")
    source: str = Field(description="Digest of what it was built from (`source_digest`)")
    base: str = Field(description="Name in `bases`, or another base's name")
    engine: str = Field(description="What built it")


class ImageLock(Block):
    """The committed lock."""

    bases: dict[str, BaseImage]
    torch: str
    image: PublishedImage


def read_lock(root: str | Path, *, path: Path = LOCK) -> ImageLock:
    """Return the lock of the repository at `root`; ConfigError names the file."""
    return ImageLock.model_validate(_read(Path(root) / path, ImageLock))


def read_local(root: str | Path) -> LocalImage | None:
    """Return the record of an image on this machine, if there is one."""
    path = Path(root) / LOCAL
    return LocalImage.model_validate(_read(path, LocalImage)) if path.exists() else None


def write_local(root: str | Path, image: LocalImage) -> Path:
    """Write the record of an image on this machine."""
    path = Path(root) / LOCAL
    head = "# Written by `make image`; wins over `image` in images.lock.yaml. Copy both together.\n"
    atomic_write_text(path, head + yaml.safe_dump(image.model_dump(), sort_keys=False))
    return path


def _read(path: Path, model: type[Block]) -> Any:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        return model.model_validate(data)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}", hint="run it in the repository") from None
    except (yaml.YAMLError, ValidationError) as error:
        hint = "`make image` writes it again" if path.name == LOCAL.name else "restore it with git"
        raise ConfigError(f"{path} is not what it should be: {error}", hint=hint) from None
