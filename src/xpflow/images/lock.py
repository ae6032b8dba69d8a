"""`containers/images.lock.yaml` (committed) and `containers/images.local.yaml` (of an image built here)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError

from xpflow.artifacts.io import atomic_write_text
from xpflow.errors import ConfigError
from xpflow.study.config.base import Block

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
        hint = "`make image` writes it anew" if path.name == LOCAL.name else "restore it with git"
        raise ConfigError(f"{path} is not what it should be: {error}", hint=hint) from None
