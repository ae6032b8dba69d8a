"""Can a file or a folder be written, asked before the work that would fill it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from xpflow.artifacts.io import HINTS
from xpflow.artifacts.manifest import ENDING
from xpflow.errors import ArtifactError

LONGEST = 255  # bytes of a name, of every file system in use


def require_writable(path: Path, *, folder: bool = False) -> None:
    """Raise ArtifactError, in words, unless a file (or a folder with files) can be written at a path.

    A file that is there may be replaced; a folder in a file's place, a device or a pipe may not. Missing
    folders are made later: here an empty file is written, and removed, in the nearest one that exists.
    """
    try:
        _require_kind(path, folder)
        above = _nearest(path if folder else path.parent)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=f"{ENDING}.tmp", dir=above)
        os.close(handle)
        os.unlink(name)
    except OSError as error:
        hint = HINTS.get(error.errno or 0, "name another place")
        raise ArtifactError(f"cannot write {str(path)!r}: {error.strerror}", hint=hint) from error


def _require_kind(path: Path, folder: bool) -> None:
    text = str(path)
    if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise ArtifactError(f"cannot write {text!r}: its name is no UTF-8 text", hint="name another file")
    if long := [part for part in path.parts if len(os.fsencode(part)) > LONGEST - len(ENDING) - 16]:
        raise ArtifactError(
            f"cannot write {text[:40]!r}...: a name in it has {len(long[0])} letters", hint="shorten it"
        )
    if folder and path.exists() and not path.is_dir():
        raise ArtifactError(f"cannot write to {text!r}: it is no folder", hint="name a folder")
    if not folder and path.is_dir():
        raise ArtifactError(f"cannot write {text!r}: it is a folder", hint="name a file in it")
    if not folder and path.exists() and not path.is_file():
        raise ArtifactError(
            f"cannot write {text!r}: it is no plain file",
            hint="outputs are replaced as a whole, so name a plain file",
        )


def _nearest(folder: Path) -> Path:
    """Return the nearest folder that exists, at or above one; ArtifactError where a file is in the way."""
    for above in (folder, *folder.parents):
        if above.is_dir():
            return above
        if os.path.lexists(above):
            raise ArtifactError(
                f"cannot write to {str(folder)!r}: {str(above)!r} is no folder", hint="name another place"
            )
    return Path()
