"""Container images: which one the rules use, what is in it, and how it is built."""

from xpflow.images.inside import container_note
from xpflow.images.lock import (
    BaseImage,
    ImageLock,
    LocalImage,
    package_digest,
    read_local,
    read_lock,
    source_digest,
    write_local,
)
from xpflow.images.use import choose_container, digest_inside

__all__ = [
    "BaseImage",
    "ImageLock",
    "LocalImage",
    "choose_container",
    "container_note",
    "digest_inside",
    "package_digest",
    "read_local",
    "read_lock",
    "source_digest",
    "write_local",
]
