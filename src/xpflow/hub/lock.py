"""The lock of a fetched repository: revision, and every file with size and SHA-256."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xpflow.artifacts.io import atomic_write_text, sha256_file
from xpflow.errors import HubError
from xpflow.hub.catalogue import HubRepo

REMOVE = "if the change is meant, remove the lock and fetch again"


@dataclass(frozen=True, slots=True)
class LockedFile:
    """One file: name inside the repository, size in bytes, SHA-256."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Lock:
    """What a fetch found."""

    id: str
    revision: str
    files: tuple[LockedFile, ...]

    def save(self, path: Path) -> None:
        """Write the lock, whole or not at all."""
        files = [{"name": file.name, "size": file.size, "sha256": file.sha256} for file in self.files]
        fields = {"id": self.id, "revision": self.revision, "files": files}
        atomic_write_text(path, json.dumps(fields, indent=1) + "\n")

    def require(self, repo: HubRepo, path: Path) -> None:
        """Raise HubError unless the lock is one of this repository and revision."""
        if (self.id, self.revision) != (repo.hub_id, repo.revision):
            raise HubError(
                f"{path} locks {self.id} at {self.revision},"
                f" but {repo.hub_id} at {repo.revision} is asked for",
                hint=REMOVE,
            )


def read_lock(path: Path) -> Lock | None:
    """Read a lock, or return None when there is none; raises HubError for a file that is none."""
    try:
        fields: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        files = tuple(LockedFile(**file) for file in fields["files"])
        return Lock(str(fields["id"]), str(fields["revision"]), files)
    except FileNotFoundError:
        return None
    except (KeyError, TypeError, ValueError) as error:
        raise HubError(f"{path} is no lock of a hub repository ({error})", hint="remove it") from error


def locked_files(folder: Path, names: list[str]) -> tuple[LockedFile, ...]:
    """Return size and SHA-256 of files in a folder; reads all their bytes."""
    return tuple(
        LockedFile(name, (folder / name).stat().st_size, sha256_file(folder / name)) for name in sorted(names)
    )
